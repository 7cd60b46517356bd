// What an operator changes: first the API says what would happen, then a person decides, then it is done.
import {post, requireFromApi, Unreachable} from './api.js';
import {byId, show} from './dom.js';
import {fail, tell} from './notices.js';
import {count, jobs} from './text.js';

/** A discard of more jobs asks for their number. */
const TYPED_ABOVE = 50;

let after = () => {};

/** @param refresh called after each change */
export function begin(refresh) {
  after = refresh;
}

/** Asks a person; resolves to whether it is to be done. */
function sure({title, words, more = '', action, danger = false, typed = 0}) {
  const dialog = byId('confirm');
  show(byId('confirm-title'), title);
  show(byId('confirm-words'), words);
  show(byId('confirm-more'), more);
  byId('confirm-typed').hidden = typed === 0;
  show(byId('confirm-typed-label'), `To confirm, type ${typed}`);
  const input = byId('confirm-typed-input');
  input.value = '';
  input.pattern = String(typed);
  input.required = typed !== 0;
  const yes = byId('confirm-yes');
  show(yes, action);
  yes.className = danger ? 'danger' : 'primary';
  return new Promise(resolve => {
    let answer = false;
    const accept = event => {
      event.preventDefault();
      answer = true;
      dialog.close();
    };
    const refuse = () => dialog.close();
    byId('confirm-form').addEventListener('submit', accept);
    byId('confirm-no').addEventListener('click', refuse);
    dialog.addEventListener('close', () => {
      byId('confirm-form').removeEventListener('submit', accept);
      byId('confirm-no').removeEventListener('click', refuse);
      resolve(answer);
    }, {once: true});
    dialog.showModal();
    (typed ? input : danger ? byId('confirm-no') : yes).focus();
  });
}

async function done(work) {
  try {
    return await work();
  } catch (e) {
    requireFromApi(e);
    fail(e instanceof Unreachable
      ? `The enqueuer did not answer (${e.message}). Look what was done before you repeat it.`
      : e.message);
    return false;
  } finally {
    after();
  }
}

const WORDS = {
  pause: {
    title: what => `Pause ${what}?`,
    words: what => `The enqueuers stop publishing ${what} with their next heartbeat. Jobs stay staged until somebody resumes.`,
    done: 'Paused', already: 'was paused already'},
  resume: {
    title: what => `Resume ${what}?`,
    words: what => `The enqueuers go on publishing ${what}, in order.`,
    done: 'Resumed', already: 'was not paused'},
};

/** @param topic null for everything */
export function pausing(verb, topic) {
  const what = topic === null ? 'everything' : `topic ${topic}`;
  const body = topic === null ? {everything: true} : {topic};
  const words = WORDS[verb];
  return done(async () => {
    const would = await post(verb, {...body, dryRun: true});
    if (!would.changed) {
      tell(`${what} ${words.already}.`);
      return true;
    }
    if (!await sure({title: words.title(what), words: words.words(what), action: words.title(what).slice(0, -1)})) return false;
    await post(verb, body);
    tell(`${words.done} ${what}.`);
    return true;
  });
}

function requeueWords(would) {
  return [
    would.followed > 0 ? `${jobs(would.followed)} of these only followed a chosen one.` : '',
    would.kept > 0 ? `${jobs(would.kept)} that you chose stay parked: an earlier job of their key stays.` : '',
    'They take their old places. If the cause is not gone, they are parked again.',
  ].filter(words => words).join(' ');
}

function discardWords(would) {
  return [
    would.held > 0 ? `${jobs(would.held)} of these would have returned by themselves.` : '',
    would.requeued > 0 ? `${jobs(would.requeued)} that only followed them are staged again.` : '',
    'Nobody can get them back.',
  ].filter(words => words).join(' ');
}

/**
 * Requeues or discards.
 *
 * @param selection ids, filter or all, as the API takes it
 * @returns whether it was done
 */
export function move(verb, selection) {
  return done(async () => {
    const would = await post(`jobs/${verb}`, {...selection, dryRun: true});
    const many = verb === 'requeue' ? would.requeued : would.discarded;
    if (many === 0) {
      tell(verb === 'requeue'
        ? 'Nothing to requeue: held jobs return by themselves, and a job stays parked while an earlier one of its key does.'
        : 'Nothing to discard: these jobs are no longer here.', 'warning');
      return false;
    }
    const agreed = await sure(verb === 'requeue'
      ? {title: `Requeue ${jobs(many)}?`, words: 'They are staged again and published.', more: requeueWords(would),
        action: `Requeue ${jobs(many)}`}
      : {title: `Discard ${jobs(many)}?`, words: 'They are deleted and never published.', more: discardWords(would),
        action: `Discard ${jobs(many)}`, danger: true, typed: many > TYPED_ABOVE ? many : 0});
    if (!agreed) return false;
    tell('Working…', 'unknown');
    const change = await post(`jobs/${verb}`, {...selection, expected: many});
    const followers = change.requeued > 0 ? `; ${count(change.requeued)} that followed are staged again` : '';
    tell(verb === 'requeue' ? `Requeued ${jobs(change.requeued)}.` : `Discarded ${jobs(change.discarded)}${followers}.`);
    return true;
  });
}
