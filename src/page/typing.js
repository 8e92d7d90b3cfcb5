// Tells the agent that the customer is typing. It sends at most one sign in 3 s, because the
// gateway passes on no more.

import { post } from './api.js';

const SIGN_EVERY = 3_000;

export class Typing {
  #next = 0;

  /** The customer has changed a draft for the agent of this conversation. */
  tell(conversation) {
    if (Date.now() >= this.#next) {
      this.#next = Date.now() + SIGN_EVERY;
      post('typing', { conversation });
    }
  }

  /** The line is sent: the next key causes a sign at once. */
  stop() {
    this.#next = 0;
  }
}
