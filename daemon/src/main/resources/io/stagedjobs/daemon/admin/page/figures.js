// The large numbers.
import {newest} from './charts.js';
import {byId, show} from './dom.js';
import {count, duration, rate} from './text.js';

function figure(id, value, note = '', verdict = '') {
  show(byId(id), value);
  show(byId(id + '-note'), note);
  byId(id).dataset.verdict = verdict;
}

function toDrain(status) {
  if (status.backlog === 0) return ['–', 'nothing waits'];
  if (status.timeToDrainSeconds !== null) return [duration(status.timeToDrainSeconds), 'at these rates'];
  return status.rates.publishedPerSecond === null
    ? ['–', 'rates not known yet']
    : ['∞', 'the backlog does not shrink', 'warning'];
}

/** Jobs moved aside in that state, as far as the status lists their groups. */
function aside(status, state) {
  return status.aside.filter(group => group.state === state).reduce((sum, group) => sum + group.jobs, 0);
}

export function update(status) {
  const rates = status.rates;
  const over = rates.overSeconds === null ? '' : `over ${duration(rates.overSeconds)}`;
  const latency = newest(['latencyP50Seconds', 'latencyP99Seconds']);
  const parked = aside(status, 'parked');
  const held = aside(status, 'held');
  const exact = status.asideExact && status.moreAside === 0;
  figure('waiting', count(status.backlog, status.exact), status.exact ? 'jobs' : 'jobs, estimated');
  figure('rate-in', rate(rates.stagedPerSecond), over);
  figure('rate-out', rate(rates.publishedPerSecond), over);
  figure('to-drain', ...toDrain(status));
  figure('oldest', status.backlog === 0 ? '–' : duration(status.oldestAgeSeconds), status.exact ? '' : 'estimated');
  figure('latency', latency ? duration(latency.latencyP50Seconds) : '–',
    latency ? `p99 ${duration(latency.latencyP99Seconds)}, this enqueuer` : 'nothing published in the last minute');
  figure('parked', count(parked, exact), 'wait for a person', parked > 0 ? 'wrong' : '');
  figure('held', count(held, exact), 'return by themselves', held > 0 ? 'warning' : '');
}
