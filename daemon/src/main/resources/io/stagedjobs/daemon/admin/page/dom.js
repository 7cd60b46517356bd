// The little that is needed to keep elements in step with data. Texts become text nodes, nothing is parsed as HTML.
import {visible} from './text.js';

const shown = new WeakMap();

export function byId(id) {
  return document.getElementById(id);
}

/** Attributes that are functions listen to the event of that name. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      element.addEventListener(name, value);
    } else if (value !== undefined && value !== null && value !== false) {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...children);
  return element;
}

/** Writes only what has changed, so that a selection in the text survives. */
export function show(element, text) {
  const now = String(text ?? '');
  if (shown.get(element) !== now) {
    shown.set(element, now);
    element.replaceChildren(visible(now));
  }
}

/**
 * Keeps the children of an element in step with items, by key. Children that stay keep their focus; they keep their
 * places, too, while somebody points at them or has the focus there, so that no click meets another one than was aimed at.
 */
export function children(parent, items, keyOf, create, update) {
  const focused = document.activeElement;
  const still = parent.matches(':hover') || parent.contains(focused);
  const gone = new Map([...parent.children].map(child => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = gone.get(key);
    const stays = child !== undefined;
    gone.delete(key);
    if (!stays) {
      child = create(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) {
      place = place.nextElementSibling;
    } else if (!stays || !still) {
      parent.insertBefore(child, still ? null : place);
    }
  }
  gone.forEach(child => child.remove());
  if (focused !== document.activeElement && focused?.isConnected) {
    focused.focus({preventScroll: true});
  }
}

/**
 * A table whose rows follow items.
 *
 * @param columns each with a label and either a text of the item, or a way to fill a cell
 * @returns a function that takes the items
 */
export function table(element, columns, keyOf) {
  const body = element.tBodies[0];
  element.tHead.append(el('tr', {role: 'row'}, ...columns.map(column =>
    el('th', {scope: 'col', role: 'columnheader', class: column.kind ?? ''}, column.head ?? column.label))));
  const create = () => el('tr', {role: 'row'}, ...columns.map(column =>
    el('td', {'data-label': column.label, class: column.kind ?? '', role: 'cell'})));
  const update = (row, item) => {
    row.item = item;
    columns.forEach((column, i) => {
      if (column.fill) {
        column.fill(row.cells[i], item, row);
      } else {
        show(row.cells[i], column.text(item));
      }
    });
  };
  return items => children(body, items, keyOf, create, update);
}

/** A button of a row, made once; it acts on what the row shows when it is pressed. */
export function rowButton(cell, row, action, act) {
  if (!cell.firstElementChild) {
    cell.append(el('button', {type: 'button', class: 'small', 'data-action': action, click: () => act(row.item)}));
  }
  return cell.firstElementChild;
}

/** A verdict or a state, told by a word and a colour. */
export function badge(element, words, verdict) {
  show(element, words);
  element.className = words ? 'badge ' + verdict : '';
}
