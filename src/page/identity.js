// Who the customer is, as the shop's backend has signed. The gateway hears it once there is a
// customer, and checks it; this file only notices when somebody else is here. How customers begin
// and leave is decided by connection.js.

import { isTemporary, post } from './api.js';
import { embedder } from './embedder.js';
import { store } from './store.js';
import { token } from './token.js';

/** Under this name the browser keeps the shop's own id of the customer. */
const KEPT = 'user';

export class Identity {
  #signed = null;
  #told = null;
  #replaced;

  /** `replaced(begun)` is called when the gateway had another customer here. */
  constructor(replaced) {
    this.#replaced = replaced;
  }

  /** Whether this identity is another person's than the one before. */
  isOther(signed) {
    const former = store.read(KEPT);
    return former !== null && former !== userOf(signed);
  }

  /** Whether the shop knows the customer. */
  get isThere() {
    return store.read(KEPT) !== null;
  }

  keep(signed) {
    store.write(KEPT, userOf(signed));
    this.#signed = signed;
  }

  clear() {
    store.write(KEPT, null);
    this.drop();
  }

  /** The customer has left in another tab. The same text may come again, and is told again then. */
  drop() {
    this.#signed = null;
    this.#told = null;
  }

  /** Tells the gateway, if it has not heard it. There is a customer now. */
  async tell() {
    const signed = this.#signed;
    if (!signed || signed === this.#told) {
      return;
    }
    this.#told = signed;
    const answer = await post('identify', { identity: signed, keep: token.way });
    if (answer.status === 201) {
      this.#replaced(answer.body);
    } else if (answer.status === 403) {
      embedder.tell('refused', { why: answer.body?.why ?? 'the gateway does not believe it' });
    } else if (isTemporary(answer)) {
      // The next return of the connection tells it again.
      this.#told = null;
    }
  }
}

/** The shop's own id in what its backend signed. */
function userOf(signed) {
  try {
    const text = atob(signed.split('.')[0].replaceAll('-', '+').replaceAll('_', '/'));
    return JSON.parse(text).user ?? null;
  } catch {
    // The gateway says why it does not believe it.
    return null;
  }
}
