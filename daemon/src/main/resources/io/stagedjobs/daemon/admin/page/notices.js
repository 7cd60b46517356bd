// What became of a change, or what was refused, until somebody has read it; and what a screen reader is to say.
import {byId, show} from './dom.js';

/** Spoken once, however often it is given. */
let spoken = '';

export function say(words) {
  if (words !== spoken) {
    spoken = words;
    show(byId('announcement'), words);
  }
}

export function tell(words, verdict = 'ok') {
  const notice = byId('notice');
  notice.hidden = false;
  notice.dataset.verdict = verdict;
  show(byId('notice-words'), words);
}

export function fail(words) {
  tell(words, 'wrong');
}

export function clear() {
  byId('notice').hidden = true;
  show(byId('notice-words'), '');
}
