// The sentence that answers "why is nothing moving?", and the checks behind it.
import {get, requireFromApi} from './api.js';
import {badge, byId, children, el, show} from './dom.js';
import {say} from './notices.js';
import {duration} from './text.js';

const EVERY_MILLIS = 10_000;
const WORDS = {'ok': 'OK', 'warning': 'Warning', 'wrong': 'Wrong', 'could not look': 'Not seen'};
const CLASSES = {'ok': 'ok', 'warning': 'warning', 'wrong': 'wrong', 'could not look': 'unknown'};
const OF_KAFKA = new Set(['Kafka', 'transactions', 'time-outs of Kafka', 'transactional ids', 'progress topic',
  'topics of jobs']);

let looking = false;
let endedAt = 0;
let seenAt = 0;

/** Looks again if the last look is old enough, and one look at a time. */
export function lookSometimes() {
  if (Date.now() - endedAt >= EVERY_MILLIS) look();
}

export async function look() {
  if (looking) return;
  looking = true;
  try {
    tell(await get('doctor'));
    seenAt = Date.now();
  } catch (e) {
    requireFromApi(e);
    if (seenAt === 0 && e.status !== 401) show(byId('sentence'), `The doctor does not answer: ${e.message}`);
  } finally {
    looking = false;
    endedAt = Date.now();
    age();
  }
}

/** How old the sentence is. */
export function age() {
  const words = seenAt === 0 ? '' : `looked ${duration(Math.round((Date.now() - seenAt) / 1000))} ago`;
  show(byId('sentence-age'), words);
}

function tell(diagnosis) {
  const worst = diagnosis.findings.find(finding => finding.check === 'jobs')?.verdict ?? 'ok';
  const verdict = diagnosis.wrong ? 'wrong' : worst;
  byId('why').dataset.verdict = CLASSES[verdict];
  badge(byId('verdict'), WORDS[verdict], CLASSES[verdict]);
  show(byId('sentence'), diagnosis.why);
  say(diagnosis.why.replace(/\d[\d.,]* ?(ms|s|min|h)\b/g, 'some time')); // not again for each second that passes
  document.title = (verdict === 'ok' ? '' : WORDS[verdict] + ' · ') + 'Staged Jobs';
  checks(diagnosis.findings);
}

function checks(findings) {
  const counts = ['wrong', 'warning', 'could not look', 'ok']
    .map(verdict => [verdict, findings.filter(finding => finding.verdict === verdict).length])
    .filter(([, many]) => many > 0)
    .map(([verdict, many]) => `${many} ${verdict}`);
  show(byId('checks-count'), counts.join(' · '));
  const numbered = findings.map((finding, i) => ({...finding, key: `${i} ${finding.check}`}));
  children(byId('attention'), numbered.filter(finding => finding.verdict !== 'ok'), finding => finding.key, card, fillCard);
  byId('no-attention').hidden = findings.some(finding => finding.verdict !== 'ok');
  const ofKafka = finding => OF_KAFKA.has(finding.check);
  fill('checks-postgresql', numbered.filter(finding => !ofKafka(finding)));
  fill('checks-kafka', numbered.filter(ofKafka));
}

function fill(id, findings) {
  children(byId(id), findings, finding => finding.key, line, (item, finding) => {
    badge(item.children[0], WORDS[finding.verdict], CLASSES[finding.verdict]);
    show(item.children[1].firstElementChild, finding.check);
    show(item.children[1].lastElementChild, finding.seen);
  });
}

function line() {
  return el('li', {}, el('span'), el('p', {}, el('b'), ' ', el('span')));
}

function card() {
  const fix = el('code', {class: 'fix'});
  const copy = el('button', {type: 'button', class: 'small', 'data-action': 'copy-fix',
    click: async () => {
      await navigator.clipboard.writeText(fix.textContent);
      copy.textContent = 'Copied';
      setTimeout(() => copy.textContent = 'Copy', 2000);
    }}, 'Copy');
  return el('li', {}, el('span'), el('div', {}, el('p', {}, el('b'), ' ', el('span')), el('div', {class: 'fixing'}, fix, copy)));
}

function fillCard(item, finding) {
  badge(item.children[0], WORDS[finding.verdict], CLASSES[finding.verdict]);
  const [words, fixing] = item.children[1].children;
  show(words.firstElementChild, finding.check);
  show(words.lastElementChild, finding.seen);
  show(fixing.firstElementChild, finding.fix);
  fixing.hidden = finding.fix === '';
  fixing.lastElementChild.hidden = !navigator.clipboard; // only pages of this machine or over TLS have one
}

export function begin() {
  byId('look').addEventListener('click', look);
}
