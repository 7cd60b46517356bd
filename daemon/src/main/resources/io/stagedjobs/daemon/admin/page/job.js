// One job that was moved aside, in full.
import {get, requireFromApi} from './api.js';
import {move} from './changes.js';
import {byId, el, show} from './dom.js';
import {fail} from './notices.js';
import {beginning, bytes, duration, moment, plain} from './text.js';

/** A browser lays out no more than this without trouble. */
const SHOWN_MAX = 200_000;

let open = null;
let changed = () => {};

const FIELDS = [
  ['State', job => `${job.state}: ${job.reason}`],
  ['Error', job => job.error ?? '–'],
  ['Topic', job => job.topic],
  ['Key', job => job.key ?? 'none'],
  ['Name', job => job.name],
  ['Staged', job => moment(job.stagedAt)],
  ['Moved aside', job => `${moment(job.parkedAt)}, ${duration(Math.round(job.parkedSecondsAgo))} ago`],
  ['Lane', job => job.lane],
  ['Job id', job => job.jobId],
  ['Headers', job => job.headers ?? 'none'],
  ['Payload', job => job.payloadBytes === null ? 'none (a tombstone)' : bytes(job.payloadBytes)],
];

/** @param rights what this caller may do */
export function openJob(job, rights) {
  open = job;
  show(byId('job-title'), `Job ${job.id}`);
  byId('job-fields').replaceChildren(...FIELDS.map(([label, text]) => {
    const value = el('dd');
    show(value, text(job));
    return el('div', {}, el('dt', {}, label), value);
  }));
  byId('payload').hidden = true;
  byId('payload').replaceChildren();
  byId('payload-note').hidden = true;
  byId('show-payload').hidden = !rights.payloads || job.payloadBytes === null;
  byId('payload-right').hidden = rights.payloads || job.payloadBytes === null;
  byId('requeue-job').hidden = !rights.change || job.state !== 'parked';
  byId('discard-job').hidden = !rights.change;
  byId('job').showModal();
}

function hex(base64) {
  const all = atob(base64.slice(0, 16_384));
  const lines = [];
  for (let i = 0; i < all.length; i += 16) {
    const part = [...all.slice(i, i + 16)].map(character => character.charCodeAt(0));
    lines.push(i.toString(16).padStart(6, '0') + '  ' + part.map(byte => byte.toString(16).padStart(2, '0')).join(' ').padEnd(49)
      + part.map(byte => byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.').join(''));
  }
  return lines.join('\n');
}

async function showPayload() {
  const id = open.id;
  try {
    const {payload} = await get(`jobs/${id}`, {payload: true});
    if (open?.id !== id) return;
    const all = payload === null ? '' : payload.text === null ? hex(payload.base64) : plain(payload.text);
    byId('payload').textContent = beginning(all, SHOWN_MAX);
    byId('payload').hidden = false;
    const notes = [
      payload?.text === null ? 'This is no UTF-8: its first 12 kB as bytes.' : '',
      payload && (!payload.complete || all.length > SHOWN_MAX)
        ? 'Only the beginning is shown; staged-jobs parked show has all of it.'
        : '',
    ].filter(words => words).join(' ');
    show(byId('payload-note'), notes);
    byId('payload-note').hidden = notes === '';
    byId('show-payload').hidden = true;
    byId('payload').focus();
  } catch (e) {
    requireFromApi(e);
    byId('job').close();
    fail(e.message);
  }
}

async function moveThis(verb) {
  const id = open.id;
  byId('job').close();
  if (await move(verb, {ids: [id]})) changed();
}

/** @param refresh called after this job was moved */
export function begin(refresh) {
  changed = refresh;
  byId('close-job').addEventListener('click', () => byId('job').close());
  byId('job').addEventListener('close', () => byId('payload').replaceChildren());
  byId('show-payload').addEventListener('click', showPayload);
  byId('requeue-job').addEventListener('click', () => moveThis('requeue'));
  byId('discard-job').addEventListener('click', () => moveThis('discard'));
}
