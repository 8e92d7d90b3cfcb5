// Sends the customer's lines and requests to the gateway, one at a time and in their order. Each
// item has an id of its own, so that the gateway takes an item only once, even if it is sent twice.
// An item that cannot be sent yet is sent again later. A line that the gateway refuses stays, with
// the reason, until the customer tries again or discards it. The browser keeps lines over a reload,
// until their events come. Other modules draw the items.
//
//   waiting ── 202 ──▶ said ── its event comes ──▶ dropped
//      │ ▲
//      ▼ └─ the customer tries again
//   refused ── the customer discards it ──▶ dropped

import { Backoff, isTemporary, newId, Pause, post } from './api.js';
import { store } from './store.js';
import { words } from './words.js';

const KEPT = 'line.';

/** Whether the item has a text to show. Only such items are kept over a reload. */
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
  #pause = new Pause();

  /**
   * The `hooks`:
   * - `begin()` returns the customer's conversation as soon as there is one;
   * - `changed()` is called when the items have changed;
   * - `mayGo()` returns whether the customer has accepted the notice;
   * - `held()` is called when the gateway still asks for that, and returns whether the customer
   *   can accept it;
   * - `said(item)` is called when the gateway has journaled an item;
   * - `refused()` is called when the gateway has refused a request without a text.
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** The lines to show, oldest first: `{id, text, at, state, reason, retryAt, …}`. */
  get lines() {
    return this.#items.filter(isLine);
  }

  /** The kinds of the waiting requests that have no text, oldest first. */
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
   * Adds `{id, kind, conversation, …}`, unless there is an item with this id. With `after`, the
   * item begins a new conversation that follows the conversation `after`.
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
    this.#pause.end();
    this.#hooks.changed();
  }

  /**
   * Adds the lines that a closed page has kept. A line of another open tab is then sent twice, and
   * the gateway takes it once.
   */
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

  /**
   * The connection is back: sends the items that wait for it. An item that the gateway has delayed
   * waits on.
   */
  nudge() {
    if (this.#items.every(({ reason }) => reason === null)) {
      this.#pause.end();
    }
    this.#send();
  }

  /** Sends a refused line again. If its conversation has ended, the line begins a new one. */
  retry(item) {
    if (item.reason === 'closed') {
      item.after = item.conversation;
    } else if (item.reason === 'conversation' || item.reason === 'token') {
      item.conversation = null;
    }
    Object.assign(item, { state: 'waiting', reason: null, retryAt: null });
    this.#note(item);
    this.#pause.end();
    this.#send();
  }

  /** Removes an item that the customer has discarded, here or in another tab. */
  drop(id) {
    const item = this.#items.find((other) => other.id === id);
    if (item) {
      this.#remove(item);
      this.#pause.end();
    }
  }

  /** Removes the item whose message has come from the gateway. */
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
    // An item may have been dropped while its request was under way: it must not be kept again.
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

  /** Sends an item once. If it needs a new conversation, asks for that first. */
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
      // The item was dropped meanwhile.
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
      await this.#pause.wait(wait);
    } else if (answer.reason === 'notice' && this.#hooks.held()) {
      // The item is sent once the customer has accepted the notice.
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
      // With `state` the conversation is already as the customer asked, and the page shows that.
      if (reason !== 'state') {
        this.#hooks.refused();
      }
    }
  }

  /**
   * The text for a waiting line: why it waits, and what the customer can do about it. `isHeld`: the
   * customer must accept the notice first. `discard` drops the line.
   */
  describe(line, isHeld, discard) {
    const again = [words.again, () => this.retry(line)];
    if (line.state === 'refused') {
      const isPast = line.kind === 'choose' && line.reason !== 'long';
      const isOver = ['closed', 'conversation', 'token'].includes(line.reason);
      const retry = isOver ? [words.inNew, again[1]] : again;
      const drop = [words.discard, discard];
      const actions = isPast ? [drop] : [retry, drop];
      return { text: words.refused(line.reason), actions, isRefused: true };
    }
    if (line.state === 'said') {
      return { text: '', actions: [], isRefused: false };
    }
    if (isHeld) {
      return { text: words.waitsForAgreement, actions: [], isRefused: false };
    }
    if (line.reason) {
      return { text: words.delayed(line.reason), actions: [again], isRefused: false };
    }
    const text = line.retryAt || !navigator.onLine ? words.waitsForConnection : words.sending;
    return { text, actions: [], isRefused: false };
  }
}

function reasonOf(item, { status, reason }) {
  if (status === 413) {
    return 'long';
  }
  return item.kind === 'choose' && reason === 'id' ? 'chosen' : (reason ?? 'unknown');
}
