// The input: it grows, knows which Enter sends, keeps a draft over a reload, and says when a text
// is too long. A draft has its id from its first letter on, so that one press too many sends
// nothing twice. Other modules decide what is sent, and where to.

import { newId } from './api.js';
import { store } from './store.js';
import { words } from './words.js';

const KEPT = 'draft';
const LONGEST = 8_192;
const coarse = matchMedia('(pointer: coarse)');
const bytes = (text) => new TextEncoder().encode(text).length;

export class Composer {
  #input;
  #limit;
  #hooks;
  #draft = null;

  /**
   * `hooks`: `act()` at each act of the customer, `write()` when the draft changes, and
   * `send({id, text})`.
   */
  constructor({ input, send, limit }, hooks) {
    this.#input = input;
    this.#limit = limit;
    this.#hooks = hooks;
    input.addEventListener('input', () => this.#change());
    input.addEventListener('keydown', (event) => this.#key(event));
    input.addEventListener('focus', () => hooks.act());
    // The input keeps the focus, so that a phone does not hide its keyboard.
    send.addEventListener('pointerdown', (event) => event.preventDefault());
    send.addEventListener('click', () => this.send());
    coarse.addEventListener('change', () => this.#setHint());
    this.#setHint();
    // Before this moment no code would have handled the typed text.
    input.disabled = false;
  }

  /** Restores the draft of an earlier visit, unless that draft has been sent. */
  restore(isSent) {
    const draft = store.read(KEPT);
    if (draft?.text && !this.#input.value && !isSent(draft.id)) {
      this.#draft = draft;
      this.#input.value = draft.text;
      this.#fit();
    }
  }

  /** Another tab has sent the draft with this id. */
  forget(id) {
    if (this.#draft?.id === id) {
      this.clear();
    }
  }

  send() {
    const text = this.#input.value.trim();
    if (!text) {
      this.#input.focus({ preventScroll: true });
      return;
    }
    if (bytes(text) > LONGEST) {
      this.#sayLength();
      return;
    }
    // The line is kept as sent before the draft goes, so that a crash in between loses neither.
    this.#hooks.send({ id: this.#draft?.id ?? newId(), text });
    this.clear();
  }

  focus() {
    this.#input.focus({ preventScroll: true });
  }

  #key(event) {
    const isPlain = !event.shiftKey && !event.altKey && !coarse.matches;
    if (event.key !== 'Enter' || !(isPlain || event.ctrlKey || event.metaKey)) {
      return;
    }
    // An Enter that ends a composition chooses a word. Safari ends the composition before it
    // reports the key, and marks the key by 229.
    if (event.isComposing || event.keyCode === 229) {
      return;
    }
    event.preventDefault();
    if (!event.repeat) {
      this.send();
    }
  }

  #change() {
    this.#hooks.act();
    const text = this.#input.value;
    if (text.trim()) {
      this.#draft = { id: this.#draft?.id ?? newId(), text };
      this.#hooks.write();
    } else {
      this.#draft = null;
    }
    store.write(KEPT, this.#draft);
    this.#fit();
  }

  /** Forgets the draft. */
  clear() {
    this.#draft = null;
    this.#input.value = '';
    store.write(KEPT, null);
    this.#fit();
  }

  /** Makes the input as high as its text; the style sheet limits the height. */
  #fit() {
    const { style } = this.#input;
    style.height = 'auto';
    const border = this.#input.offsetHeight - this.#input.clientHeight;
    style.height = `${this.#input.scrollHeight + border}px`;
    this.#sayLength();
  }

  #sayLength() {
    const over = bytes(this.#input.value.trim()) - LONGEST;
    this.#limit.textContent = over > 0 ? words.tooLong(over) : '';
    this.#input.setAttribute('aria-invalid', over > 0);
  }

  #setHint() {
    this.#input.setAttribute('enterkeyhint', coarse.matches ? 'enter' : 'send');
  }
}
