// The last hour, as four charts with one cursor. Drawn by uPlot, which page/uplot.js defines.
import {byId, el, show} from './dom.js';
import {clock, compact, count, duration, rate} from './text.js';

const HOUR_SECONDS = 3600;
const SPAN_MIN_SECONDS = 600;
const HEIGHT = 132;
const AXIS_WIDTH = 52;

const CHARTS = [
  {id: 'chart-backlog', unit: compact, value: number => count(number), lines: [
    {label: 'waiting', field: 'backlog', colour: '--line-1', area: true}]},
  {id: 'chart-rates', unit: compact, value: rate, lines: [
    {label: 'in', field: 'stagedPerSecond', colour: '--line-2'},
    {label: 'out', field: 'publishedPerSecond', colour: '--line-1'}]},
  {id: 'chart-age', unit: duration, value: duration, lines: [
    {label: 'oldest', field: 'oldestAgeSeconds', colour: '--line-1', area: true}]},
  {id: 'chart-latency', unit: duration, value: duration, lines: [
    {label: 'p50', field: 'latencyP50Seconds', colour: '--line-1'},
    {label: 'p99', field: 'latencyP99Seconds', colour: '--line-2'}]},
];

/** By time: what was there before the daemon was restarted stays. */
const points = new Map();
let everySeconds = 10;
let receivedAt = 0;
let drawn = [];

/** How many points have to be asked for: few, unless some may be missing here. */
export function pointsNeeded() {
  return Date.now() - receivedAt < 2000 * everySeconds ? 3 : 360;
}

/** The newest point of the last minute, if there is one. */
export function newest(fields) {
  const all = [...points.values()].slice(-Math.ceil(60 / everySeconds));
  return all.reverse().find(point => fields.every(field => point[field] !== null));
}

export function add(series) {
  everySeconds = series.everySeconds;
  receivedAt = Date.now();
  const before = points.size ? [...points.keys()].pop() : 0;
  for (const point of series.points) {
    points.set(Date.parse(point.at) / 1000, point);
  }
  const times = [...points.keys()].sort((one, other) => one - other);
  const newestTime = times[times.length - 1];
  const inOrder = times.filter(time => time > newestTime - HOUR_SECONDS).map(time => [time, points.get(time)]);
  points.clear();
  inOrder.forEach(([time, point]) => points.set(time, point));
  if (newestTime !== before) draw();
}

/** Columns for uPlot. A time without points interrupts the lines. */
function columns(lines) {
  const all = [[], ...lines.map(() => [])];
  let last;
  for (const [time, point] of points) {
    if (last !== undefined && time - last > 2.5 * everySeconds) {
      all[0].push(last + everySeconds);
      lines.forEach((line, i) => all[i + 1].push(null));
    }
    all[0].push(time);
    lines.forEach((line, i) => all[i + 1].push(point[line.field]));
    last = time;
  }
  return all;
}

function colour(name) {
  const probe = byId('colour');
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** From the first point to the last one, ten minutes at least. */
function span() {
  const times = [...points.keys()];
  const end = times[times.length - 1] ?? Date.now() / 1000;
  return [Math.min(times[0] ?? end, end - SPAN_MIN_SECONDS), end];
}

function make(chart) {
  const place = byId(chart.id);
  const axis = {
    stroke: colour('--muted'),
    font: '11px system-ui, sans-serif',
    grid: {stroke: colour('--grid'), width: 1},
    ticks: {show: false},
  };
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    cursor: {sync: {key: 'hour'}, drag: {x: false, y: false}, points: {size: 6}},
    legend: {show: false},
    hooks: {setCursor: [plot => hover(chart, plot)]},
    scales: {
      x: {range: span},
      y: {range: (plot, min, max) => [0, max > 0 ? max * 1.08 : 1]},
    },
    axes: [
      {...axis, size: 24, space: 64, values: (plot, ticks) => ticks.map(tick => clock(new Date(tick * 1000)).slice(0, 5))},
      {...axis, size: AXIS_WIDTH, space: 32, values: (plot, ticks) => ticks.map(chart.unit)},
    ],
    series: [{}, ...chart.lines.map(line => ({
      stroke: colour(line.colour),
      width: 1.5,
      fill: line.area ? colour('--area') : undefined,
      points: {show: false},
    }))],
  };
  return new window.uPlot(options, columns(chart.lines), place);
}

/** The values under the cursor, or the newest ones. */
function hover(chart, plot) {
  const all = [...points.values()];
  const index = plot?.cursor.idx;
  const time = index == null ? undefined : plot.data[0][index];
  const point = time === undefined ? all[all.length - 1] : points.get(time);
  const legend = byId(chart.id + '-values');
  chart.lines.forEach((line, i) => {
    if (!legend.children[i]) {
      legend.append(el('span', {class: 'key ' + line.colour.slice(2)}, el('span', {})));
    }
    const value = point && point[line.field] !== null ? chart.value(point[line.field]) : '–';
    show(legend.children[i].firstElementChild, `${line.label} ${value}`);
  });
  show(byId('hour-note'), time === undefined ? 'the last hour' : `at ${clock(new Date(time * 1000))}`);
}

function draw() {
  const empty = points.size === 0;
  CHARTS.forEach((chart, i) => {
    if (!drawn[i]) drawn[i] = make(chart);
    else drawn[i].setData(columns(chart.lines));
    hover(chart, drawn[i]);
    const newestValues = byId(chart.id + '-values').textContent;
    byId(chart.id).setAttribute('aria-label', `${byId(chart.id + '-title').textContent}: ${newestValues}`);
  });
  byId('no-points').hidden = !empty;
}

/** With other colours. */
export function redraw() {
  drawn.forEach(plot => plot.destroy());
  drawn = [];
  draw();
}

/** Charts are as wide as their places. */
export function begin() {
  draw();
  const watch = new ResizeObserver(() => drawn.forEach((plot, i) => {
    const width = byId(CHARTS[i].id).clientWidth;
    if (width > 0 && width !== plot.width) plot.setSize({width, height: HEIGHT});
  }));
  CHARTS.forEach(chart => watch.observe(byId(chart.id)));
}
