// Jobs that were moved aside: filter, page, select, requeue, discard.
import {get, requireFromApi} from './api.js';
import {move} from './changes.js';
import {badge, byId, el, rowButton, show, table} from './dom.js';
import {begin as beginJob, openJob} from './job.js';
import {beginning, bytes, count, moment} from './text.js';

const PAGE = 50;
const LENGTH_SHOWN = 120;
const FILTERS = ['state', 'topic', 'key', 'reason', 'name'];

let rights = {change: false, payloads: false};
let filter = {};
/** Where each page begins; the last one is the page that is shown. */
let starts = [''];
let next = null;
let shown = [];
/** Ids that are chosen, on this page and others. */
const chosen = new Set();
let allChosen = false;
/** What the overview said of jobs moved aside when the list was read. */
let listed = '';
let current = '';
let reading = 0;

const showJobs = table(byId('jobs-table'), [
  {label: 'Choose', kind: 'choose',
    head: el('input', {type: 'checkbox', id: 'choose-page', 'aria-label': 'Choose all jobs of this page'}),
    fill: (cell, job, row) => {
      if (!cell.firstElementChild) {
        cell.append(el('input', {type: 'checkbox', 'data-action': 'choose',
          change: event => choose([row.item.id], event.target.checked)}));
      }
      const box = cell.firstElementChild;
      box.setAttribute('aria-label', `Choose job ${job.id}`);
      box.checked = allChosen || chosen.has(job.id);
      box.disabled = allChosen;
    }},
  {label: 'Id', kind: 'number', fill: (cell, job, row) => {
    const button = rowButton(cell, row, 'open-job', item => openJob(item, rights));
    button.className = 'link';
    button.setAttribute('aria-label', `Open job ${job.id}`);
    show(button, job.id);
  }},
  {label: 'State', kind: 'short', fill: (cell, job) => {
    if (!cell.firstElementChild) cell.append(el('span'));
    badge(cell.firstElementChild, job.state, job.state === 'parked' ? 'wrong' : 'warning');
  }},
  {label: 'Topic', kind: 'name', text: job => job.topic},
  {label: 'Key', kind: 'name', text: job => job.key === null ? '–' : beginning(job.key, LENGTH_SHOWN)},
  {label: 'Name', kind: 'name', text: job => beginning(job.name, LENGTH_SHOWN)},
  {label: 'Reason', kind: 'words', text: job => job.reason + (job.error ? ': ' + beginning(job.error, 2 * LENGTH_SHOWN) : '')},
  {label: 'Size', kind: 'number', text: job => job.payloadBytes === null ? '–' : bytes(job.payloadBytes)},
  {label: 'Moved aside', kind: 'number', text: job => moment(job.parkedAt)},
], job => job.id);

function choose(ids, wanted) {
  ids.forEach(id => wanted ? chosen.add(id) : chosen.delete(id));
  render();
}

function selection() {
  if (!allChosen) return {ids: [...chosen]};
  return Object.keys(filter).length === 0 ? {all: true} : {filter};
}

function render() {
  showJobs(shown);
  const empty = shown.length === 0;
  byId('jobs-table').hidden = empty;
  byId('jobs-none').hidden = !empty;
  const filtered = Object.keys(filter).length > 0;
  show(byId('jobs-none'), filtered ? 'No job that was moved aside matches.' : 'No job was moved aside.');
  byId('jobs-tools').hidden = empty;
  byId('choosing').hidden = !rights.change;
  const box = byId('choose-page');
  const here = shown.filter(job => chosen.has(job.id)).length;
  box.checked = allChosen || (here > 0 && here === shown.length);
  box.indeterminate = !box.checked && here > 0;
  box.disabled = allChosen;
  byId('jobs-table').classList.toggle('readonly', !rights.change);
  byId('choose-all').checked = allChosen;
  show(byId('choose-all-label'), filtered ? 'All that match, on every page' : 'All of them, on every page');
  show(byId('chosen'), allChosen ? 'all chosen' : chosen.size === 0 ? 'none chosen' : `${count(chosen.size)} chosen`);
  byId('requeue').disabled = byId('discard').disabled = !allChosen && chosen.size === 0;
  byId('page-before').disabled = starts.length === 1;
  byId('page-next').disabled = next === null;
  show(byId('page-number'), `Page ${starts.length}`);
  byId('jobs-news').hidden = listed === current;
}

/** Reads the page again; an answer that a later question has overtaken is dropped. */
async function read() {
  const turn = ++reading;
  const state = current;
  try {
    const page = await get('jobs', {...filter, after: starts[starts.length - 1], limit: PAGE});
    if (turn !== reading) return;
    if (page.jobs.length === 0 && starts.length > 1) {
      starts.pop();
      await read();
      return;
    }
    shown = page.jobs;
    next = page.next;
    listed = state;
    show(byId('filter-error'), '');
  } catch (e) {
    requireFromApi(e);
    if (turn === reading && e.status !== undefined) {
      listed = state; // the same question would get the same answer
      show(byId('filter-error'), e.message);
    }
  }
  render();
}

function forget() {
  chosen.clear();
  allChosen = false;
}

/** Shows jobs that have all of this. */
export function find(wanted) {
  filter = Object.fromEntries(FILTERS.map(name => [name, wanted[name] ?? '']).filter(([, value]) => value !== ''));
  FILTERS.forEach(name => byId('filter-' + name).value = filter[name] ?? '');
  starts = [''];
  next = null;
  forget();
  render();
  read();
  byId('jobs').scrollIntoView({block: 'start'});
}

async function moveChosen(verb) {
  if (await move(verb, selection())) {
    forget();
    starts = [''];
  }
  await read();
}

/** Follows the overview: the list is read again when it must have changed, unless a person is choosing in it. */
export function update(overview) {
  const before = rights;
  rights = overview.rights;
  current = JSON.stringify(overview.status.aside.map(group => [group.topic, group.state, group.reason, group.jobs]));
  const first = listed === '';
  if (first || (listed !== current && chosen.size === 0 && !allChosen)) {
    read();
  } else if (before.change !== rights.change || listed !== current) {
    render();
  }
}

export function begin() {
  beginJob(read);
  byId('filter').addEventListener('submit', event => {
    event.preventDefault();
    find(Object.fromEntries(FILTERS.map(name => [name, byId('filter-' + name).value])));
  });
  byId('filter-clear').addEventListener('click', () => find({}));
  byId('choose-page').addEventListener('change', event => choose(shown.map(job => job.id), event.target.checked));
  byId('choose-all').addEventListener('change', event => {
    allChosen = event.target.checked;
    render();
  });
  byId('page-next').addEventListener('click', () => {
    starts.push(next);
    read();
  });
  byId('page-before').addEventListener('click', () => {
    starts.pop();
    read();
  });
  byId('requeue').addEventListener('click', () => moveChosen('requeue'));
  byId('discard').addEventListener('click', () => moveChosen('discard'));
  byId('jobs-again').addEventListener('click', read);
}
