// The customer's lines and requests on their way to the gateway: one at a time, in their order,
// each with the id that was made with it, so that one sent twice is one. What cannot leave yet
// stays and is sent again; what was refused stays with its reason until the customer decides. Lines
// are kept in the browser until they are answered. How they look is decided by others.
//
//   waiting ── 202 ──▶ said ── its event comes ──▶ dropped
//      │ ▲
//      ▼ └─ the customer tries again
//   refused ── the customer discards it ──▶ dropped

import { Backoff, isTemporary, newId, post } from './api.js';
import { store } from './store.js';

const KEPT = 'line.';

/** Whether it has a text to show. Such items are kept over a reload; other requests are not. */
const isLine = ({ kind }) => kind === 'say' || kind === 'choose';

/** The fields of each request, besides `id` and `conversation`. */
const FIELDS = {
  say: ({ text }) => ({ text }),
  choose: ({ menu, choice }) => ({ menu, choice }),
};

export class Outbox {
  #hooks;
  #items = [];
  #backoff = new Backoff(1_000, 15_000);
  #isBusy = false;
  #wake = null;

  /**
   * `hooks`: `begin()` answers the customer's conversation as soon as there is one; `changed()`
   * says that the items changed; `mayGo()` answers whether the customer has accepted the notice,
   * and `held()` takes that the gateway still asks for it, and answers whether they can;
   * `said(item)` that one is journaled; `refused()` that a request
   * without a text was refused.
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** The lines to show, oldest first: `{id, text, at, state, reason, retryAt, …}`. */
  get lines() {
    return this.#items.filter(isLine);
  }

  /** The waiting requests of the other kinds, oldest first. */
  get asking() {
    return this.#items.filter((item) => !isLine(item)).map(({ kind }) => kind);
  }

  /** The choice from a bot's message that is on its way, if there is one. */
  choice({ conversation, number }) {
    return this.#items.find(
      (item) =>
        item.kind === 'choose' && item.menu === number && item.conversation === conversation,
    )?.choice;
  }

  /**
   * Adds `{id, kind, conversation, …}`. An id that is here already is the same item. With `after`,
   * the item begins a new conversation behind that one.
   */
  add(item) {
    if (this.#items.every(({ id }) => id !== item.id)) {
      this.#items.push({ state: 'waiting', reason: null, at: Date.now(), ...item });
      this.#note(this.#items.at(-1));
      this.#send();
    }
  }

  /** Forgets all items: the customer has left. */
  clear() {
    this.#items = [];
    store.names(KEPT).forEach((name) => store.write(name, null));
    this.#wake?.();
    this.#hooks.changed();
  }

  /** Takes up lines of a page that is gone. A line of another open tab is sent twice, as one. */
  adopt() {
    const known = new Set(this.#items.map(({ id }) => id));
    const kept = store.names(KEPT).map((name) => store.read(name));
    const found = kept.filter((line) => line?.id && !known.has(line.id));
    if (found.length) {
      this.#items.push(...found.map((line) => ({ ...line, retryAt: null })));
      this.#items.sort((one, other) => one.at - other.at);
      this.#hooks.changed();
    }
    this.nudge();
  }

  /** The connection is back: what waits for it leaves. What the gateway delayed waits on. */
  nudge() {
    if (this.#items.every(({ reason }) => reason === null)) {
      this.#wake?.();
    }
    this.#send();
  }

  /** The customer wants to send a line again; a line of a conversation that is over begins anew. */
  retry(item) {
    if (item.reason === 'closed') {
      item.after = item.conversation;
    } else if (item.reason === 'conversation' || item.reason === 'token') {
      item.conversation = null;
    }
    Object.assign(item, { state: 'waiting', reason: null, retryAt: null });
    this.#note(item);
    this.#wake?.();
    this.#send();
  }

  /** The customer does not want the item any more, or another tab told that it is gone. */
  drop(id) {
    const item = this.#items.find((other) => other.id === id);
    if (item) {
      this.#remove(item);
      this.#wake?.();
    }
  }

  /** A message came: the line that it shows is not shown as waiting any more. */
  settle({ post: id, conversation, number }) {
    const item = this.#items.find(
      (other) =>
        other.id === id ||
        (other.state === 'said' && other.number === number && other.conversation === conversation),
    );
    if (item) {
      this.#remove(item);
    }
  }

  #remove(item) {
    this.#items = this.#items.filter((other) => other !== item);
    store.write(KEPT + item.id, null);
    this.#hooks.changed();
  }

  #note(item) {
    // An item that was dropped while its request was under way is not kept again.
    if (isLine(item) && this.#items.includes(item)) {
      store.write(KEPT + item.id, item.state === 'said' ? null : item);
    }
    this.#hooks.changed();
  }

  async #send() {
    if (this.#isBusy) {
      return;
    }
    this.#isBusy = true;
    for (;;) {
      const item = this.#items.find(({ state }) => state === 'waiting');
      if (!item || !this.#hooks.mayGo()) {
        break;
      }
      const answer = await this.#attempt(item);
      if (answer && this.#items.includes(item)) {
        await this.#take(item, answer);
      }
    }
    this.#isBusy = false;
  }

  /** Sends an item once; first the request for a new conversation, if it needs one. */
  async #attempt(item) {
    if (item.after) {
      const { after } = item;
      const begun = await post('new', { id: `new-${after}`, conversation: after });
      if (begun.status !== 202) {
        return begun;
      }
      Object.assign(item, { after: null, conversation: begun.body.conversation });
      this.#note(item);
    }
    item.conversation ??= await this.#hooks.begin();
    if (!this.#items.includes(item)) {
      // It was dropped meanwhile.
      return null;
    }
    const { id, kind, conversation } = item;
    return post(kind, { id, conversation, ...FIELDS[kind]?.(item) });
  }

  async #take(item, answer) {
    if (answer.status === 202) {
      this.#backoff.reset();
      if (isLine(item)) {
        const { number, conversation } = answer.body;
        Object.assign(item, { state: 'said', reason: null, retryAt: null, number, conversation });
        this.#note(item);
        this.#hooks.said(item);
      } else {
        this.#remove(item);
      }
    } else if (isTemporary(answer)) {
      const wait = this.#backoff.next(answer.wait);
      item.reason = answer.reason;
      item.retryAt = Date.now() + wait;
      this.#note(item);
      await this.#pause(wait);
    } else if (answer.reason === 'notice' && this.#hooks.held()) {
      // It leaves once the customer has accepted the notice.
      this.#note(item);
    } else if (answer.reason === 'id' && item.kind === 'say' && !item.isRenamed) {
      // Another tab sent another text from the same draft. This text needs an id of its own.
      store.write(KEPT + item.id, null);
      Object.assign(item, { id: newId(), isRenamed: true });
      this.#note(item);
    } else {
      this.#refuse(item, reasonOf(item, answer));
    }
  }

  #refuse(item, reason) {
    if (isLine(item)) {
      Object.assign(item, { state: 'refused', reason, retryAt: null });
      this.#note(item);
    } else {
      this.#remove(item);
      // What was asked for is so already: its state is shown anyway.
      if (reason !== 'state') {
        this.#hooks.refused();
      }
    }
  }

  #pause(time) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, time);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }
}

function reasonOf(item, { status, reason }) {
  if (status === 413) {
    return 'long';
  }
  return item.kind === 'choose' && reason === 'id' ? 'chosen' : (reason ?? 'unknown');
}
