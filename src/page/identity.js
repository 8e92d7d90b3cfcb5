// Who the customer is, as the shop's backend has signed. When there is a customer, the gateway gets
// the identity and checks it; this file only notices when it is another person's. connection.js
// decides how customers begin and leave.

import { isTemporary, post } from './api.js';
import { embedder } from './embedder.js';
import { store } from './store.js';
import { token } from './token.js';

/** The storage name of the shop's own id for the customer. */
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

  /**
   * The customer has left in another tab. If the same identity comes again, the gateway must get it
   * again.
   */
  drop() {
    this.#signed = null;
    this.#told = null;
  }

  /** Sends the identity to the gateway, if it does not have it yet. There must be a customer. */
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
      // It is sent again when the connection comes back.
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
    // The gateway will refuse it and say why.
    return null;
  }
}
