// Topics, lanes, enqueuers and groups of jobs that were moved aside: as the overview has them.
import {pausing} from './changes.js';
import {badge, byId, children, el, rowButton, show, table} from './dom.js';
import {find} from './jobs.js';
import {count, duration, jobs} from './text.js';

let rights = {change: false, payloads: false};
let paused = [];

const EMPTY = number => number === 0 ? '' : count(number);

function topicState(cell, topic) {
  const words = topic.paused ? 'paused' : topic.parked > 0 ? 'parked jobs' : topic.held > 0 ? 'held jobs' : '';
  state(cell, words, topic.paused || topic.parked === 0 ? 'warning' : 'wrong', topic.reasons.join(', '));
}

/** A badge and what there is to say about it. */
function state(cell, words, verdict, more = '') {
  if (!cell.firstElementChild) cell.append(el('span'), ' ', el('span', {class: 'note'}));
  badge(cell.firstElementChild, words, verdict);
  show(cell.lastElementChild, more);
  cell.classList.toggle('nothing', words === '' && more === '');
}

function pauseButton(cell, topic, row) {
  const button = rowButton(cell, row, 'pause-topic', item => pausing(isPaused(item.topic) ? 'resume' : 'pause', item.topic));
  const nameable = /^[A-Za-z0-9._-]{1,249}$/.test(topic.topic); // others can have got here by SQL only
  button.hidden = !rights.change || !nameable;
  button.dataset.action = isPaused(topic.topic) ? 'resume-topic' : 'pause-topic';
  show(button, isPaused(topic.topic) ? 'Resume…' : 'Pause…');
  button.setAttribute('aria-label', `${isPaused(topic.topic) ? 'Resume' : 'Pause'} topic ${topic.topic}`);
}

function isPaused(topic) {
  return paused.includes(topic);
}

function laneState(cell, lane) {
  if (lane.halted) {
    state(cell, 'halted', 'wrong', `for ${duration(lane.halted.lastingSeconds)}: ${lane.halted.reason}`);
  } else {
    state(cell, lane.owner === null ? 'free' : '', lane.backlog > 0 ? 'wrong' : 'warning');
  }
}

function enqueuerState(cell, enqueuer) {
  const problems = (enqueuer.problems ?? []).map(problem =>
    `${problem.place} for ${duration(problem.lastingSeconds)}: ${problem.reason}`).join('; ');
  if (!enqueuer.alive) state(cell, 'gone', 'warning', 'ended without leaving. ' + problems);
  else if (problems) state(cell, 'in trouble', 'wrong', problems);
  else state(cell, enqueuer.lanes === 0 ? 'stands by' : 'works', enqueuer.lanes === 0 ? 'unknown' : 'ok');
}

const showTopics = table(byId('topics-table'), [
  {label: 'Topic', kind: 'name', text: topic => topic.topic},
  {label: 'Waiting', kind: 'number', text: topic => topic.backlog === 0 ? '' : count(topic.backlog, topic.exact)},
  {label: 'Held', kind: 'number', text: topic => EMPTY(topic.held)},
  {label: 'Parked', kind: 'number', text: topic => EMPTY(topic.parked)},
  {label: 'State', kind: 'words', fill: topicState},
  {label: 'Change', kind: 'buttons', head: el('span', {class: 'spoken'}, 'Change'), fill: pauseButton},
], topic => topic.topic);

const showLanes = table(byId('lanes-table'), [
  {label: 'Lane', kind: 'number', text: lane => lane.lane},
  {label: 'Owner', kind: 'name', text: lane => lane.owner ?? '–'},
  {label: 'Waiting', kind: 'number', text: lane => lane.backlog === 0 ? '' : count(lane.backlog, lane.exact)},
  {label: 'Oldest', kind: 'number', text: lane => lane.backlog === 0 ? '' : duration(lane.oldestAgeSeconds)},
  {label: 'Generation', kind: 'number', text: lane => count(lane.generation)},
  {label: 'State', kind: 'words', fill: laneState},
], lane => lane.lane);

const showEnqueuers = table(byId('enqueuers-table'), [
  {label: 'Name', kind: 'name', text: enqueuer => enqueuer.name},
  {label: 'Lanes', kind: 'number', text: enqueuer => enqueuer.lanes},
  {label: 'Delivery', kind: 'short', text: enqueuer => enqueuer.delivery},
  {label: 'Running for', kind: 'number', text: enqueuer => duration(Math.round(enqueuer.startedSecondsAgo))},
  {label: 'Heartbeat', kind: 'number', text: enqueuer => duration(enqueuer.seenSecondsAgo) + ' ago'},
  {label: 'State', kind: 'words', fill: enqueuerState},
], enqueuer => enqueuer.id);

const showGroups = table(byId('groups-table'), [
  {label: 'Jobs', kind: 'number', text: group => count(group.jobs, group.exact)},
  {label: 'State', kind: 'short', fill: (cell, group) => state(cell, group.state, group.state === 'parked' ? 'wrong' : 'warning')},
  {label: 'Topic', kind: 'name', text: group => group.topic},
  {label: 'Reason', kind: 'short', text: group => group.reason},
  {label: 'One of the errors', kind: 'words', text: group => group.error || '–'},
  {label: 'Find', kind: 'buttons', head: el('span', {class: 'spoken'}, 'Find'), fill: (cell, group, row) => {
    const button = rowButton(cell, row, 'show-group', ({topic, state, reason}) => find({topic, state, reason}));
    show(button, 'Show');
    button.setAttribute('aria-label', `Show the ${group.state} jobs of topic ${group.topic}: ${group.reason}`);
  }},
], group => JSON.stringify([group.topic, group.state, group.reason]));

export function update(overview) {
  const status = overview.status;
  rights = overview.rights;
  paused = status.paused;
  showTopics(overview.topics.topics);
  byId('topics-none').hidden = overview.topics.topics.length > 0;
  show(byId('topics-more'), overview.topics.more === 0 ? '' : `${count(overview.topics.more)} more topics are not listed`);
  byId('topics-table').hidden = overview.topics.topics.length === 0;
  byId('pause-form').hidden = !rights.change;
  showLanes(status.lanes);
  const owned = status.lanes.filter(lane => lane.owner !== null).length;
  show(byId('lanes-count'), `${owned} of ${status.lanes.length} owned`);
  showEnqueuers(status.enqueuers);
  byId('enqueuers-none').hidden = status.enqueuers.length > 0;
  byId('enqueuers-table').hidden = status.enqueuers.length === 0;
  showGroups(status.aside.map(group => ({...group, exact: status.asideExact})));
  byId('groups-table').hidden = status.aside.length === 0;
  show(byId('aside-count'), status.asideJobs === 0 ? '' : jobs(status.asideJobs, status.asideExact));
  show(byId('groups-more'), status.moreAside === 0 ? '' : `${count(status.moreAside)} more groups are not listed`);
  children(byId('problems'), status.problems, problem => problem.place, () => el('li'), (item, problem) =>
    show(item, `This enqueuer: ${problem.place}: ${problem.reason}`));
}

export function begin() {
  byId('pause-form').addEventListener('submit', event => {
    event.preventDefault();
    pausing('pause', byId('pause-topic-name').value.trim());
  });
}
