/** The panel of a camera's controls, made from the camera's own list: sliders, menus, switches, buttons. */
import { make } from '../core/element/make.js';
import { keep, recall } from './memory.js';

/**
 * @typedef {object} Control as `/-/api/controls` has it
 * @property {string} id
 * @property {string} name
 * @property {string} type `integer`, `boolean`, `menu`, `button`; others are left out
 * @property {number} [min]
 * @property {number} [max]
 * @property {number} [step]
 * @property {unknown} [default]
 * @property {unknown} [value]
 * @property {{value: number, name: string}[]} [menu]
 * @property {boolean} [inactive] of no effect now, as another control says so
 * @property {boolean} [readonly]
 * @property {string} [group]
 */

/** @typedef {{row: HTMLElement, show: (control: Control) => void}} Field */

/**
 * Asks for the controls of a camera.
 *
 * @param {string} home
 * @param {number} stream
 * @returns {Promise<{controls: Control[], writable: boolean}>} none where it has none; whether this client may set them
 */
export async function fetchControls(home, stream) {
  try {
    const answer = await fetch(address(home, stream));
    const { controls = [], writable = true } = answer.ok ? await answer.json() : {};
    return { controls, writable };
  } catch {
    return { controls: [], writable: false };
  }
}

/** @param {string} home @param {number} stream */
const address = (home, stream) => new URL(`-/api/controls?stream=${stream}`, home);

export class ControlsPanel {
  element = make('div', { class: 'fields' });
  #home;
  #stream;
  #name;
  /** @type {Map<string, Control>} */
  #controls = new Map();
  /** @type {Map<string, Field>} */
  #fields = new Map();
  #trouble = make('p', { class: 'trouble', role: 'alert', hidden: true });
  /** What is to be set next; a slider gives more than one request can carry. @type {Record<string, unknown>} */
  #wanted = {};
  #isBusy = false;
  #isLocked;

  /**
   * @param {string} home
   * @param {{id: number, name: string}} stream
   * @param {Control[]} controls
   * @param {boolean} writable
   */
  constructor(home, { id, name }, controls, writable) {
    this.#home = home;
    this.#stream = id;
    this.#name = name;
    this.#isLocked = !writable;
    const groups = new Map();
    for (const control of controls) {
      const field = this.#field(writable ? control : { ...control, readonly: true });
      if (!field) continue;
      this.#controls.set(control.id, control);
      this.#fields.set(control.id, field);
      const group = control.group ?? '';
      groups.set(group, [...(groups.get(group) ?? []), field.row]);
    }
    for (const [group, rows] of groups) {
      if (groups.size > 1 && group) this.element.append(make('h3', {}, title(group)));
      this.element.append(...rows);
    }
    const locked = make('p', { class: 'note' }, 'This server lets nobody change them from here: --api-control.');
    this.element.append(this.#trouble, writable ? this.#foot() : locked);
  }

  /** Shows what has changed, from wherever. @param {Control[]} changed */
  hear(changed) {
    for (const control of changed) {
      const known = this.#controls.get(control.id);
      if (!known) continue;
      Object.assign(known, control, this.#isLocked ? { readonly: true } : {});
      // What is still on its way is newer than this.
      if (!Object.hasOwn(this.#wanted, control.id)) this.#fields.get(control.id)?.show(known);
    }
  }

  #foot() {
    const act = (/** @type {string} */ name, /** @type {() => void} */ does) => {
      const button = make('button', { type: 'button', class: 'plain' }, name);
      button.addEventListener('click', does);
      return button;
    };
    const saved = () => recall(this.#name).controls;
    const restore = act('Use saved', () => this.set(saved() ?? {}));
    restore.disabled = !saved();
    const save = act('Save', () => {
      keep(this.#name, { controls: this.#values() });
      restore.disabled = false;
    });
    return make('div', { class: 'foot' }, save, restore, act('Defaults', () => this.#reset()));
  }

  /** What can be set again later. */
  #values() {
    const all = [...this.#controls.values()].filter(({ type, readonly }) => type !== 'button' && !readonly);
    return Object.fromEntries(all.map(({ id, value }) => [id, value]));
  }

  /** Sets some; while a request is under way the newest values wait for it. @param {Record<string, unknown>} values */
  async set(values) {
    Object.assign(this.#wanted, values);
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (Object.keys(this.#wanted).length > 0) {
      const body = JSON.stringify(this.#wanted);
      const sent = this.#wanted;
      this.#wanted = {};
      const answer = await this.#ask({ method: 'PUT', body, headers: { 'content-type': 'application/json' } });
      if (!answer) this.hear(Object.keys(sent).flatMap((id) => this.#controls.get(id) ?? []));
    }
    this.#isBusy = false;
  }

  #reset() {
    this.#wanted = {};
    return this.#ask({ method: 'DELETE' });
  }

  /** @param {RequestInit} request @returns {Promise<boolean>} whether all was done */
  async #ask(request) {
    let why = '';
    try {
      const answer = await fetch(address(this.#home, this.#stream), request);
      const text = await answer.text();
      const said = answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : { error: text };
      if (Array.isArray(said.controls)) this.hear(said.controls);
      why = [said.error, ...Object.values(said.errors ?? {})].filter(Boolean).join(' ');
      if (!answer.ok && !why) why = `The server refused it (${answer.status}).`;
    } catch (error) {
      why = String(error);
    }
    this.#trouble.textContent = why;
    this.#trouble.hidden = !why;
    return !why;
  }

  /** @param {Control} control @returns {Field | null} */
  #field(control) {
    switch (control.type) {
      case 'integer':
        return slider(control, (value) => this.set({ [control.id]: value }));
      case 'boolean':
        return toggle(control, (value) => this.set({ [control.id]: value }));
      case 'menu':
        return menu(control, (value) => this.set({ [control.id]: value }));
      case 'button':
        return press(control, () => this.set({ [control.id]: true }));
      default:
        return null;
    }
  }
}

/** @param {string} word */
const title = (word) => word[0].toUpperCase() + word.slice(1).replaceAll('_', ' ');
/** @param {Control} control */
const isFixed = ({ inactive, readonly }) => Boolean(inactive || readonly);

let count = 0;

/** A label beside its field, so that the field's value is no part of its name. @param {string} name @param {HTMLElement} field */
function label(name, field) {
  field.id = `field-${(count += 1)}`;
  return make('label', { for: field.id }, name);
}

/** @param {Control} control @param {(value: number) => void} set @returns {Field} */
function slider(control, set) {
  const { name, min = 0, max = 100, step = 1 } = control;
  const input = make('input', { type: 'range', min: String(min), max: String(max), step: String(step || 1) });
  const value = make('output');
  input.addEventListener('input', () => {
    value.textContent = input.value;
    set(Number(input.value));
  });
  /** @param {Control} control */
  const show = (control) => {
    input.value = String(control.value);
    value.textContent = String(control.value);
    input.disabled = isFixed(control);
  };
  show(control);
  return { row: make('div', { class: 'field slider' }, label(name, input), value, input), show };
}

/** @param {Control} control @param {(value: boolean) => void} set @returns {Field} */
function toggle(control, set) {
  const input = make('input', { type: 'checkbox', role: 'switch' });
  input.addEventListener('change', () => set(input.checked));
  /** @param {Control} control */
  const show = (control) => {
    input.checked = Boolean(control.value);
    input.disabled = isFixed(control);
  };
  show(control);
  return { row: make('div', { class: 'field' }, label(control.name, input), input), show };
}

/** @param {Control} control @param {(value: number) => void} set @returns {Field} */
function menu(control, set) {
  const select = make('select', {}, ...(control.menu ?? []).map(({ value, name }) => new Option(name, String(value))));
  select.addEventListener('change', () => set(Number(select.value)));
  /** @param {Control} control */
  const show = (control) => {
    select.value = String(control.value);
    select.disabled = isFixed(control);
  };
  show(control);
  return { row: make('div', { class: 'field' }, label(control.name, select), select), show };
}

/** @param {Control} control @param {() => void} set @returns {Field} */
function press(control, set) {
  const button = make('button', { type: 'button', class: 'plain' }, control.name);
  button.addEventListener('click', set);
  /** @param {Control} control */
  const show = (control) => (button.disabled = isFixed(control));
  show(control);
  return { row: make('div', { class: 'field' }, button), show };
}
