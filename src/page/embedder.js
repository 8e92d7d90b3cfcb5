// The messages between the chat in a frame and the page around it (panel.js). A chat on a page of
// its own has no page around.
//
//   page                            chat
//   hello {page, look, identity} ─▶ taken from the parent window and a listed origin alone
//                       ◀─────────  here, at once
//                       ◀─────────  ready, when the chat has its words
//   page, shown, identity ───────▶
//                       ◀─────────  unread, state, refused, close, go
//
// Messages go to the exact origin that said hello, never to any other.

const { embedders, frame } = document.getElementById('page').dataset;

class Embedder {
  /** Whether the chat is in a frame. */
  isFramed = Boolean(frame);
  /** Whether the customer can see the chat. A page of its own is always shown. */
  isShown = !frame;
  /** The page that the customer is on: `{url, title, language}`. */
  page = {
    url: location.origin + location.pathname,
    title: document.title,
    language: navigator.language,
  };

  #hooks = null;
  #origin = null;
  #told = new Map();
  /** Messages that came before `start`. */
  #waiting = [];

  constructor() {
    addEventListener('message', (message) => this.#receive(message));
  }

  /**
   * `hooks`: `begin(look, identity)` is called once, when the page around is known; `moved()` when the
   * customer is on another page; `shown(takesFocus)` when the chat is shown or hidden;
   * `identity(token)` when the page says who the customer is, or with null that they left.
   */
  start(hooks) {
    this.#hooks = hooks;
    if (!this.isFramed) {
      hooks.begin({});
    } else if (window.parent === window) {
      location.replace('chat');
    } else {
      this.#waiting.splice(0).forEach((data) => this.#hear(data));
    }
  }

  /** Tells the page around a value, if it does not know it yet. */
  tell(handoff, more = {}) {
    const text = JSON.stringify(more);
    if (this.#origin && this.#told.get(handoff) !== text) {
      this.#told.set(handoff, text);
      window.parent.postMessage({ handoff, ...more }, this.#origin);
    }
  }

  /** Asks the page around to hide the chat. Messages that arrive from now on are unread. */
  close() {
    this.isShown = false;
    this.#told.delete('close');
    this.tell('close');
  }

  /** Asks the page around to follow a link to its own site. Returns whether the link is one. */
  follow(url) {
    const isOwn = this.#origin !== null && new URL(url).origin === this.#origin;
    if (isOwn) {
      this.#told.delete('go');
      this.tell('go', { url });
    }
    return isOwn;
  }

  #receive({ source, origin, data }) {
    const isKnown = this.#origin ? origin === this.#origin : embedders.split(' ').includes(origin);
    if (!this.isFramed || source !== window.parent || !isKnown) {
      return;
    }
    if (data.handoff === 'hello') {
      if (this.#origin) {
        return;
      }
      this.#origin = origin;
      this.tell('here');
    }
    if (this.#hooks) {
      this.#hear(data);
    } else {
      this.#waiting.push(data);
    }
  }

  #hear(data) {
    switch (data.handoff) {
      case 'hello':
        this.page = data.page;
        this.tell('ready');
        this.#hooks.begin(data.look, data.identity);
        break;
      case 'page':
        this.page = data.page;
        this.#hooks.moved();
        break;
      case 'identity':
        this.#hooks.identity(data.token);
        break;
      case 'shown':
        this.isShown = data.isShown;
        this.#hooks.shown(data.takesFocus);
        break;
      default:
        break;
    }
  }
}

/** The page around. It listens from the first moment, before the chat has loaded its words. */
export const embedder = new Embedder();
