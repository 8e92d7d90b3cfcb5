// The form that asks the customer for a name and an email address before the first handoff. Nobody
// has to answer. Once shown, the form stays until the customer answers or the conversation ends.
// Other modules decide when it is due, and what happens with the answer.

import { store } from './store.js';

/** The storage name for: the customer has answered the form, or has skipped it. */
const ASKED = 'asked';

const form = document.getElementById('about');

export class About {
  /** Whether the customer has asked for a human. The request is sent when the form is answered. */
  isHandoffHeld = false;
  /** The conversation in which the form is shown, or null. */
  #shownIn = null;

  /** `answered(values)` gets `{name, email}`, or null if the customer does not want to tell. */
  constructor(answered) {
    const whileBusy = async (values) => {
      form.inert = true;
      await answered(values);
      form.inert = false;
    };
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      whileBusy(Object.fromEntries(new FormData(form)));
    });
    document.getElementById('skip').addEventListener('click', () => whileBusy(null));
  }

  get isShown() {
    return !form.hidden;
  }

  /**
   * Shows the form with the fields in this list if it is due, or if it was shown in this
   * conversation before. `conversation` is null if there is none yet or it has ended. A form that
   * is hidden forgets what was typed.
   */
  show(fields, isDue, conversation) {
    const isOpen = this.#shownIn !== null && this.#shownIn === conversation;
    form.hidden = !(isDue || isOpen) || fields.length === 0 || store.read(ASKED);
    this.#shownIn = form.hidden ? null : conversation;
    if (form.hidden) {
      form.reset();
    }
    for (const input of form.querySelectorAll('input')) {
      input.disabled = form.hidden || !fields.includes(input.name);
      input.parentElement.hidden = input.disabled;
    }
  }

  /** The customer was asked, and is not asked again. */
  done() {
    store.write(ASKED, true);
  }

  /** The customer does not want a human any more. */
  cancel() {
    this.isHandoffHeld = false;
    this.#shownIn = null;
  }

  /** Another customer is here now. */
  forget() {
    this.cancel();
    store.write(ASKED, null);
  }

  focus() {
    form.querySelector('input:enabled').focus({ preventScroll: true });
  }
}
