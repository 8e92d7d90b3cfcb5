// Tells the gateway which of the agent's lines the customer has seen: those within the visible part
// of a page that is visible and has the focus.

import { isTemporary, post } from './api.js';

/** A line counts as seen when this much of its top is in view. */
const MARGIN = '0px 0px -24px 0px';

export class Seen {
  #observer;
  #events = new Map();
  #visible = new Set();
  /** The highest seen number, and the highest number that the gateway knows, by conversation. */
  #seen = new Map();
  #told = new Map();
  #timer = null;
  #isWatched;

  /** `isWatched()` answers whether the customer looks at this page now. */
  constructor(scroller, isWatched) {
    this.#isWatched = isWatched;
    this.#observer = new IntersectionObserver((entries) => this.#note(entries), {
      root: scroller,
      rootMargin: MARGIN,
    });
    const look = () => this.look();
    addEventListener('focus', look);
    document.addEventListener('visibilitychange', look);
  }

  watch(element, event) {
    this.#events.set(element, event);
    this.#observer.observe(element);
  }

  /** Sends the numbers that are seen now. Also called when the connection is back. */
  look() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), 200);
  }

  #note(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) {
        this.#visible.add(target);
      } else {
        this.#visible.delete(target);
      }
    }
    this.look();
  }

  async #tell() {
    if (!this.#isWatched()) {
      return;
    }
    for (const element of this.#visible) {
      const { conversation, number } = this.#events.get(element);
      this.#seen.set(conversation, Math.max(number, this.#seen.get(conversation) ?? 0));
      this.#observer.unobserve(element);
      this.#events.delete(element);
    }
    this.#visible.clear();
    for (const [conversation, number] of this.#seen) {
      const told = this.#told.get(conversation) ?? 0;
      if (number > told) {
        this.#told.set(conversation, number);
        const answer = await post('seen', { conversation, number });
        if (isTemporary(answer)) {
          // It is sent again with the next seen line, or when the connection comes back.
          this.#told.set(conversation, told);
        }
      }
    }
  }
}
