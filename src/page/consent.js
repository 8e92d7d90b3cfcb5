// The notice that a customer must accept before the first word: its text and its button. What waits
// for it, and what a press does, is decided by others.

import { draw, parse } from './text.js';

export class Consent {
  #element = document.getElementById('consent');
  #text = document.getElementById('notice-text');

  /** `agree()` is called when the customer accepts. The button rests until it is done. */
  constructor(agree) {
    const button = document.getElementById('agree');
    button.addEventListener('click', async () => {
      button.disabled = true;
      await agree();
      button.disabled = false;
    });
  }

  /** Shows the notice; with null nothing. A link in it is written as `[text](https://…)`. */
  show(notice) {
    this.#element.hidden = notice === null;
    if (notice !== null && this.#element.dataset.shown !== notice) {
      this.#element.dataset.shown = notice;
      this.#text.replaceChildren(draw(parse(notice, { markup: true })));
    }
  }
}
