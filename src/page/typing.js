// Tells the agent that the customer types. The gateway passes on one sign in this time at most.

import { post } from './api.js';

const SIGN_EVERY = 3_000;

export class Typing {
  #next = 0;

  /** The customer changed the draft of a line for the agent of this conversation. */
  tell(conversation) {
    if (Date.now() >= this.#next) {
      this.#next = Date.now() + SIGN_EVERY;
      post('typing', { conversation });
    }
  }

  /** The line is sent: what is typed next is news. */
  stop() {
    this.#next = 0;
  }
}
