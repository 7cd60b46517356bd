// The page: asks for the overview every two seconds, and hands it on.
import {get, requireFromApi, token, useToken, Unreachable} from './api.js';
import * as changes from './changes.js';
import * as charts from './charts.js';
import * as doctor from './doctor.js';
import {badge, byId, show} from './dom.js';
import * as figures from './figures.js';
import * as jobs from './jobs.js';
import * as lists from './lists.js';
import * as notices from './notices.js';
import {clock, duration} from './text.js';

const EVERY_MILLIS = 2000;

let timer = 0;
let asking = false;
/** When the overview was last answered, and since when it is not. */
let answeredAt = null;
let failingSince = null;

function connection(words, verdict) {
  badge(byId('connection'), words, verdict);
}

function role(rights) {
  const words = !token() ? 'no token needed' : rights.change ? 'operator' : 'read-only';
  badge(byId('role'), words, 'unknown');
  byId('forget-token').hidden = !token();
}

function everything(status, rights) {
  const paused = status.paused.includes('*');
  byId('everything-paused').hidden = !paused;
  byId('pause-everything').hidden = paused || !rights.change;
  byId('resume-everything').hidden = !paused || !rights.change;
}

function tell(overview) {
  if (failingSince !== null) notices.say('The enqueuer answers again.');
  failingSince = null;
  answeredAt = new Date();
  connection('live', 'ok');
  show(byId('refreshed'), `${clock(answeredAt)}`);
  byId('outage').hidden = true;
  byId('figures').classList.remove('stale');
  byId('figures').hidden = false;
  byId('sign-in').hidden = true;
  role(overview.rights);
  everything(overview.status, overview.rights);
  charts.add(overview.series);
  figures.update(overview.status);
  lists.update(overview);
  jobs.update(overview);
  doctor.lookSometimes();
}

function failed(e) {
  if (e.status === 401) {
    askForToken();
    return;
  }
  failingSince ??= new Date();
  const lasts = duration(Math.round((Date.now() - failingSince) / 1000));
  const since = `since ${clock(failingSince)}, for ${lasts}`;
  const figuresOf = answeredAt === null ? '' : ` What you see below is of ${clock(answeredAt)}.`;
  byId('outage').hidden = false;
  byId('figures').classList.toggle('stale', answeredAt !== null);
  if (e instanceof Unreachable) {
    connection('unreachable', 'wrong');
    show(byId('outage'), `This page cannot reach the enqueuer ${since} (${e.message}).${figuresOf} It tries again every`
      + ' 2 seconds. Other enqueuers go on with their lanes.');
    notices.say('This page cannot reach the enqueuer.');
  } else {
    connection('no figures', 'wrong');
    show(byId('outage'), `The enqueuer answers without figures ${since}: ${e.message}.${figuresOf}`);
    notices.say('The enqueuer answers without figures.');
    doctor.lookSometimes();
  }
}

function askForToken() {
  connection('needs a token', 'warning');
  const refused = token() !== null;
  useToken(null);
  byId('figures').hidden = true;
  byId('outage').hidden = true;
  for (const id of ['pause-everything', 'resume-everything', 'everything-paused', 'forget-token']) byId(id).hidden = true;
  badge(byId('role'), '', '');
  show(byId('refreshed'), '');
  show(byId('token-error'), refused ? 'The enqueuer does not know this token.' : '');
  if (byId('sign-in').hidden) {
    byId('sign-in').hidden = false;
    byId('token').focus();
  }
}

/** One question at a time; none while nobody looks or while a token is missing. */
async function refresh() {
  clearTimeout(timer);
  if (asking) return;
  if (document.hidden) {
    connection('paused', 'unknown');
    return;
  }
  asking = true;
  let rest = EVERY_MILLIS;
  try {
    tell(await get('overview', {points: charts.pointsNeeded()}));
  } catch (e) {
    requireFromApi(e);
    failed(e);
    rest = Math.max(rest, 1000 * (e.retryAfterSeconds ?? 0));
  } finally {
    asking = false;
    doctor.age();
    if (byId('sign-in').hidden) timer = setTimeout(refresh, rest);
  }
}

function theme() {
  const choice = byId('theme');
  choice.value = document.documentElement.dataset.theme ?? 'system';
  choice.addEventListener('change', () => {
    try {
      localStorage.setItem('staged-jobs-theme', choice.value);
    } catch {
      // a browser that stores nothing: until the next visit
    }
    if (choice.value === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice.value;
    charts.redraw();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', charts.redraw);
}

function begin() {
  show(byId('host'), location.host);
  theme();
  changes.begin(() => {
    refresh();
    doctor.look();
  });
  jobs.begin();
  lists.begin();
  doctor.begin();
  byId('dismiss').addEventListener('click', notices.clear);
  byId('pause-everything').addEventListener('click', () => changes.pausing('pause', null));
  byId('resume-everything').addEventListener('click', () => changes.pausing('resume', null));
  byId('sign-in').addEventListener('submit', event => {
    event.preventDefault();
    useToken(byId('token').value.trim());
    byId('token').value = '';
    byId('sign-in').hidden = true;
    refresh();
  });
  byId('forget-token').addEventListener('click', () => {
    useToken(null);
    refresh();
  });
  document.addEventListener('visibilitychange', refresh);
  charts.begin();
  refresh();
}

begin();
