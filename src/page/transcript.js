// Keeps the elements of the transcript up to date: messages and changes in their order, days,
// waiting lines after them, marks and menus. line.js makes the elements; scroll.js moves the view.

import {
  changeText, dayOf, dividerLine, messageLine, setMark, setMenu, setWaiting, waitingLine,
} from './line.js';
import { words } from './words.js';

/** Messages of one speaker within this time, in milliseconds, form one group. */
const TOGETHER = 5 * 60_000;

export class Transcript {
  #log;
  #hooks;
  #drawn = new Map();
  #waiting = new Map();
  #previous = null;
  #day = null;
  /** Bot messages whose buttons may be pressed, and the customer's lines that may get a mark. */
  #menus = new Set();
  #unseen = new Set();

  /**
   * `hooks`: `choose(event, choice)`; `now()`, the gateway's clock; `isLive(event)` and
   * `chosen(event)` of a menu; `mark(event)` of a line; `shown(element, event)` when a message has
   * an element.
   */
  constructor(log, hooks) {
    this.#log = log;
    this.#hooks = hooks;
  }

  /** The element of an event. */
  element(event) {
    return this.#drawn.get(event.n);
  }

  /** Forgets all events; waiting lines stay. */
  reset() {
    const waiting = [...this.#waiting.values()];
    this.#log.replaceChildren(...waiting);
    this.#drawn.clear();
    this.#menus.clear();
    this.#unseen.clear();
    this.#previous = null;
    this.#day = null;
  }

  /** Adds events after those that are drawn. */
  append(events) {
    const nodes = events.flatMap((event) => (event.isMoved ? [] : this.#draw(event)));
    const [firstWaiting] = this.#waiting.values();
    if (firstWaiting) {
      firstWaiting.before(...nodes);
    } else {
      this.#log.append(...nodes);
    }
  }

  /** Removes messages that have moved to another conversation. */
  remove(events) {
    events.forEach((event) => this.element(event)?.remove());
  }

  /** Shows the waiting lines. `describe(line)` says why each waits. */
  setWaiting(lines, describe) {
    const ids = new Set(lines.map(({ id }) => id));
    for (const [id, element] of this.#waiting) {
      if (!ids.has(id)) {
        element.remove();
        this.#waiting.delete(id);
      }
    }
    for (const line of lines) {
      if (!this.#waiting.has(line.id)) {
        const element = waitingLine(line);
        this.#waiting.set(line.id, element);
        this.#log.append(element);
      }
      setWaiting(this.#waiting.get(line.id), describe(line));
    }
  }

  /** Brings menus and marks up to date. */
  update() {
    for (const event of this.#menus) {
      const chosen = this.#hooks.chosen(event);
      setMenu(this.element(event), this.#hooks.isLive(event), chosen);
      if (event.chosen) {
        this.#menus.delete(event);
      }
    }
    for (const event of this.#unseen) {
      const mark = this.#hooks.mark(event);
      setMark(this.element(event), mark);
      if (mark === 'seen') {
        this.#unseen.delete(event);
      }
    }
  }

  #draw(event) {
    const at = new Date(event.at);
    const { day, text } = dayOf(at, this.#hooks.now());
    const nodes = [];
    if (day !== this.#day) {
      this.#day = day;
      nodes.push(dividerLine('day', text));
    }
    if (this.#previous && this.#previous.conversation !== event.conversation) {
      nodes.push(dividerLine('begin', words.newConversation));
    }
    const element = event.event === 'message' ? this.#message(event) : this.#change(event);
    if (element) {
      this.#drawn.set(event.n, element);
      this.#group(event, element, nodes.length > 0);
      nodes.push(element);
    }
    this.#previous = event;
    return nodes;
  }

  #message(event) {
    const element = messageLine(event, this.#hooks.choose);
    if (event.buttons?.some(({ choice }) => choice)) {
      this.#menus.add(event);
    }
    if (event.author === 'user') {
      this.#unseen.add(event);
    }
    this.#hooks.shown(element, event);
    return element;
  }

  #change(event) {
    const text = changeText(event);
    return text && dividerLine(event.state === 'closed' ? 'change closed' : 'change', text);
  }

  /** Joins a message to the one before it, if the same speaker sent both in a short time. */
  #group(event, element, isDivided) {
    const before = this.#previous;
    const isTogether =
      !isDivided &&
      before?.event === 'message' &&
      event.event === 'message' &&
      before.author === event.author &&
      before.name === event.name &&
      new Date(event.at) - new Date(before.at) < TOGETHER;
    if (isTogether) {
      element.classList.add('continued');
      const isSameMinute = event.at.slice(0, 16) === before.at.slice(0, 16);
      this.element(before).classList.toggle('followed', isSameMinute);
    }
  }
}
