// The panel of the widget on a shop's page: the frame with the chat, and the messages between the
// page and the chat. widget.js loads it at the first press, and decides when it is open.
//
// The frame is of the gateway's origin: the page cannot read the chat, and the chat cannot touch
// the page. Each side takes messages from the other's window and origin only; the chat's side is
// embedder.js.

/**
 * A frame that has not loaded after this time, or whose chat is not ready this long after `here`, has
 * failed and is made again.
 */
const PATIENCE = 8_000;
/**
 * A chat that has loaded answers at once. If no answer comes for this long, the browser has refused
 * the frame, and has loaded a page of its own that says so.
 */
const ANSWER = 2_000;
const RETRY = 5_000;
const PHONE = '(max-width: 480px), (max-height: 480px)';

const root = document.documentElement;
const phone = matchMedia(PHONE);

/** The page's title without the count that the widget puts before it. */
const bareTitle = () => document.title.replace(/^\(\d+\) /, '');

export class Panel {
  /** Whether the gateway is up, and the browser or a proxy refuses the frame all the same. */
  isRefused = false;
  #widget;
  #origin;
  #element = document.createElement('div');
  #frame = null;
  #isReady = false;
  #isOpen = false;
  #takesFocus = false;
  #identity = undefined;
  #timer = null;
  #overflow = '';
  #isFilling = false;

  /**
   * `widget`: what widget.js knows (`base`, `given`, `language`, `color`, `ink`), where the panel
   * belongs (`all`), and `emit(name, value)`, `fail(isDown)` and `close()`.
   */
  constructor(widget) {
    this.#widget = widget;
    this.#origin = new URL(widget.base).origin;
    this.#element.className = 'panel';
    widget.all.append(this.#element);
    widget.all.getRootNode().adoptedStyleSheets.push(styles(widget.given));
    addEventListener('message', (message) => this.#hear(message));
    const fit = () => this.#fit();
    phone.addEventListener('change', fit);
    window.visualViewport?.addEventListener('resize', fit);
    window.visualViewport?.addEventListener('scroll', fit);
    // For the agent, a page that changes its address without a load is another page.
    window.navigation?.addEventListener('currententrychange', () => this.#tellPage());
    addEventListener('popstate', () => this.#tellPage());
    this.#load();
  }

  /** Shows or hides the panel. It takes the focus only if the customer opened it. */
  show(isOpen, takesFocus) {
    this.#isOpen = isOpen;
    this.#takesFocus = takesFocus && isOpen;
    const isVisible = isOpen && this.#isReady;
    this.#fit();
    if (isVisible !== this.#element.classList.contains('open')) {
      this.#element.classList.toggle('open');
      this.#widget.emit('open', isVisible);
    }
    if (this.#isReady) {
      this.#tellPage();
      this.#tellShown();
    } else if (isOpen && !this.#frame) {
      this.#load();
    }
  }

  /** Passes on the identity that the shop's backend has signed, or null when the customer has left. */
  identify(token) {
    this.#identity = token;
    if (this.#isReady && token !== undefined) {
      this.#tell('identity', { token });
    }
  }

  /** Finds out, unseen, whether the frame is still refused. */
  retry() {
    if (!this.#frame) {
      this.#load();
    }
  }

  #load() {
    const { base, language, given } = this.#widget;
    const frame = document.createElement('iframe');
    frame.title = given.title ?? 'Chat';
    // Lets the frame make a sound as soon as the page itself may make one.
    frame.allow = 'autoplay';
    frame.src = `${base}frame?${new URLSearchParams({ language })}`;
    frame.addEventListener('load', () => this.#greet());
    this.#frame = frame;
    this.#element.append(frame);
    this.#expect(PATIENCE);
  }

  /** Gives the frame up after this time, unless it is ready or its next step comes first. */
  #expect(time) {
    clearTimeout(this.#timer);
    if (!this.#isReady) {
      this.#timer = setTimeout(() => this.#fail(), time);
    }
  }

  #greet() {
    this.#expect(ANSWER);
    const { given, ink } = this.#widget;
    const { color, title, opening, links, notice, ask } = given;
    const look = { color, ink, title, opening, links, notice, ask };
    this.#tell('hello', { page: this.#page, look, identity: this.#identity });
  }

  get #page() {
    return pageNow(this.#widget.given.pageQuery);
  }

  /**
   * Removes the frame, so that no empty box stays on the page. Then it asks the gateway for a
   * script, which no policy of a page that has the widget forbids: if the script comes, the frame
   * was refused.
   */
  async #fail() {
    console.warn(
      `handoff: the chat of ${this.#origin} did not open here. Is the gateway up, does it have ` +
        `--origin ${location.origin}, and does no proxy before it forbid frames?`,
    );
    this.#frame.remove();
    this.#frame = null;
    this.#widget.fail(true);
    this.#timer = setTimeout(() => this.#isOpen && this.#load(), RETRY);
    const script = import(`${this.#widget.base}panel.js?${Date.now()}`);
    const isRefused = await script.then(() => true, () => false);
    if (!this.#isReady) {
      this.isRefused = isRefused;
      this.#widget.fail(true);
    }
  }

  #tell(handoff, more) {
    this.#frame.contentWindow.postMessage({ handoff, ...more }, this.#origin);
  }

  #tellPage() {
    if (this.#isReady) {
      this.#tell('page', { page: this.#page });
    }
  }

  #tellShown() {
    if (this.#takesFocus) {
      this.#frame.focus({ preventScroll: true });
    }
    this.#tell('shown', { isShown: this.#isOpen, takesFocus: this.#takesFocus });
    this.#takesFocus = false;
  }

  #hear({ source, origin, data }) {
    if (!this.#frame || source !== this.#frame.contentWindow || origin !== this.#origin) {
      return;
    }
    switch (data.handoff) {
      case 'here':
        this.#expect(PATIENCE);
        break;
      case 'ready':
        clearTimeout(this.#timer);
        this.#isReady = true;
        this.isRefused = false;
        this.#widget.fail(false);
        this.show(this.#isOpen, this.#takesFocus);
        break;
      case 'close':
        this.#widget.close();
        break;
      case 'unread':
        this.#count(data.count);
        break;
      case 'state':
        this.#widget.emit('state', data.state);
        break;
      case 'refused':
        console.warn(`handoff: the customer is not verified: ${data.why}`);
        break;
      case 'go':
        this.#go(data.url);
        break;
      default:
        break;
    }
  }

  #count(count) {
    const bare = bareTitle();
    if (count || bare !== document.title) {
      document.title = count ? `(${count}) ${bare}` : bare;
    }
    this.#widget.emit('unread', count);
  }

  /** Follows a link of the chat to a page of the shop itself. */
  #go(url) {
    if (this.#widget.given.links === 'same' && new URL(url).origin === location.origin) {
      location.assign(url);
    }
  }

  /**
   * On a phone the panel fills the space above the on-screen keyboard, and the page behind it does
   * not scroll. Only the page's own viewport knows the keyboard's size.
   */
  #fit() {
    const fills = this.#isOpen && this.#isReady && phone.matches;
    const { height = 0, offsetTop = 0, scale = 1 } = window.visualViewport ?? {};
    const isCovered = fills && scale < 1.01 && root.clientHeight - height > 1;
    this.#element.style.setProperty('--height', isCovered ? `${height}px` : '');
    this.#element.style.setProperty('--top', isCovered ? `${offsetTop}px` : '');
    if (fills !== this.#isFilling) {
      this.#isFilling = fills;
      this.#overflow = fills ? root.style.overflow : this.#overflow;
      root.style.overflow = fills ? 'hidden' : this.#overflow;
    }
  }
}

/**
 * The page as the bot and the agent may see it: without a fragment, and with only those parts of
 * the query that the page has named (`data-page-query`), because the rest may hold secrets.
 */
const pageNow = (named = '') => ({
  url: location.origin + location.pathname,
  query: String(new URLSearchParams(
    [...new URLSearchParams(location.search)].filter(([name]) => named.split(',').includes(name)),
  )),
  title: bareTitle(),
  language: root.lang || navigator.language,
});

function styles({ position = 'right', offsetX = 16, offsetY = 16, zIndex = 9999 }) {
  const sheet = new CSSStyleSheet();
  const above = Number(offsetY) + 60;
  const insets = ['top', 'right', 'bottom', 'left'].map((side) => `env(safe-area-inset-${side})`);
  sheet.replaceSync(`
    .panel {
      position: fixed; ${position}: ${offsetX}px; z-index: ${zIndex};
      bottom: calc(${above}px + env(safe-area-inset-bottom));
      width: min(400px, calc(100vw - ${2 * offsetX}px));
      height: min(640px, calc(100vh - ${above + 16}px));
      overflow: hidden; visibility: hidden;
      border-radius: 16px; background: #f6f5f2; box-shadow: 0 4px 28px rgb(0 0 0 / 30%);
    }
    .open { visibility: visible }
    iframe { display: block; width: 100%; height: 100%; border: 0; color-scheme: light dark }
    @media (prefers-color-scheme: dark) { .panel { background: #151617 } }
    @media ${PHONE} {
      .open {
        inset: var(--top, 0) 0 auto; width: 100%; border-radius: 0;
        height: var(--height, 100dvh); padding: ${insets.join(' ')};
      }
    }
    @media (forced-colors: active) { .panel { border: 2px solid } }
  `);
  return sheet;
}
