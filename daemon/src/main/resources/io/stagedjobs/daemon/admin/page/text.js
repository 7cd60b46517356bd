// How texts and numbers that come from elsewhere are written.

/** What no font shows, and what hides or reorders its neighbours. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;

const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const short = new Intl.NumberFormat('en', {notation: 'compact', maximumFractionDigits: 1});

function code(character) {
  return 'U+' + character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0');
}

/** A text as nodes, in which unseen characters can be seen. */
export function visible(text) {
  const nodes = document.createDocumentFragment();
  let from = 0;
  for (const found of text.matchAll(UNSEEN)) {
    const mark = document.createElement('span');
    mark.className = 'unseen';
    mark.textContent = code(found[0]);
    nodes.append(text.slice(from, found.index), mark);
    from = found.index + found[0].length;
  }
  nodes.append(text.slice(from));
  return nodes;
}

/** The same as one text, for large ones; lines and tabs stay. */
export function plain(text) {
  return text.replace(UNSEEN, found => '\n\t'.includes(found) ? found : `⟨${code(found)}⟩`);
}

/** The beginning of a text that may be long. */
export function beginning(text, length) {
  return text.length > length ? text.slice(0, length) + '…' : text;
}

export function count(number, exact = true) {
  return (exact ? '' : '≈ ') + whole.format(number);
}

export function jobs(number, exact = true) {
  return count(number, exact) + (number === 1 ? ' job' : ' jobs');
}

export function compact(number) {
  return short.format(number);
}

export function rate(perSecond) {
  return perSecond == null ? '–' : (perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : count(perSecond)) + '/s';
}

export function duration(seconds) {
  if (seconds == null) return '–';
  if (seconds <= 0) return '0 s';
  if (seconds < 0.9995) return Math.max(1, Math.round(seconds * 1000)) + ' ms';
  if (seconds < 9.95) return +seconds.toFixed(1) + ' s';
  if (seconds < 119.5) return Math.round(seconds) + ' s';
  if (seconds < 7170) return Math.round(seconds / 60) + ' min';
  if (seconds < 172_800) return Math.round(seconds / 3600) + ' h';
  return count(seconds / 86_400) + ' d';
}

export function bytes(number) {
  if (number < 1000) return number + ' B';
  return number < 1_000_000 ? (number / 1000).toFixed(1) + ' kB' : (number / 1_000_000).toFixed(1) + ' MB';
}

/** The time of day here. */
export function clock(date) {
  return date.toLocaleTimeString('en-GB');
}

/** An instant as the API writes it, in the time of this place. */
export function moment(written) {
  const date = new Date(written);
  return Number.isNaN(date.getTime()) ? written : date.toLocaleDateString('sv') + ' ' + clock(date);
}
