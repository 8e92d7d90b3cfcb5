// The notice that a customer must accept before the first word: its text and its button. Other
// modules decide what waits for the notice, and what a press does.

import { draw, parse } from './text.js';

export class Consent {
  #element = document.getElementById('consent');
  #text = document.getElementById('notice-text');

  /** `agree()` is called when the customer accepts. The button is disabled until it is done. */
  constructor(agree) {
    const button = document.getElementById('agree');
    button.addEventListener('click', async () => {
      button.disabled = true;
      await agree();
      button.disabled = false;
    });
  }

  /** Shows the notice, or nothing for null. A link in it is written as `[text](https://…)`. */
  show(notice) {
    this.#element.hidden = notice === null;
    if (notice !== null && this.#element.dataset.shown !== notice) {
      this.#element.dataset.shown = notice;
      this.#text.replaceChildren(draw(parse(notice, { markup: true })));
    }
  }
}
