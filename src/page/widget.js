// The chat on a shop's page, by one line: <script src="https://chat.shop.example/widget.js" async>
//
// This file makes a button and, at the first press, loads panel.js, which makes a frame with the
// chat. All of it stands in a shadow root, so that the page's styles and the widget's do not reach
// each other. Before the first press nothing is kept and nothing else is loaded. The press leaves a
// mark in the page's own storage: the next pages load the chat when they are idle, so that each of
// them counts unread messages and rings for new ones.

(() => {
  const script = document.currentScript;
  if (window.handoff || !script) {
    script ?? console.warn('handoff: widget.js is no module: leave type="module" out');
    return;
  }
  const base = new URL('.', script.src).href;
  const chat = `${base}chat`;
  const given = { ...script.dataset };
  const page = document.documentElement;
  const RETRY = 5_000;

  // The options in the script line.

  const KNOWN = {
    color: /^#[\da-f]{6}$/i,
    position: /^(left|right)$/,
    offsetX: /^\d+$/,
    offsetY: /^\d+$/,
    zIndex: /^\d+$/,
    links: /^(new|same)$/,
    ask: /^(name|email|name,email|email,name)$/,
    language: /^(ar|de|en|es|fr)(?![a-z])/i,
    launcher: {
      test: (selector) => {
        try {
          return page.matches(selector) || true;
        } catch {
          return false;
        }
      },
    },
  };
  for (const name in given) {
    const isText = ['label', 'title', 'opening', 'notice', 'pageQuery'].includes(name);
    if (!isText && !KNOWN[name]?.test(given[name])) {
      const attribute = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      console.warn(`handoff: data-${attribute}="${given[name]}" is not understood and has no effect`);
      delete given[name];
    }
  }
  const { color = '#1f625d', position = 'right', offsetX = 16, offsetY = 16 } = given;
  const { zIndex = 9999, launcher = 'none' } = given;

  const language = (given.language || page.lang || navigator.language).toLowerCase();
  const [label, failed, apart] = {
    ar: [
      'محادثة',
      'تعذّر الوصول إلى المحادثة. تُعاد المحاولة…',
      'فتح المحادثة في علامة تبويب جديدة',
    ],
    de: ['Chat', 'Der Chat ist nicht erreichbar. Neuer Versuch …', 'Chat in neuem Tab öffnen'],
    es: [
      'Chat',
      'No se puede abrir el chat. Se intenta de nuevo…',
      'Abrir el chat en otra pestaña',
    ],
    fr: ['Chat', 'Le chat est injoignable. Nouvel essai…', 'Ouvrir le chat dans un autre onglet'],
  }[language.slice(0, 2)] ??
    ['Chat', 'The chat cannot be reached. Trying again…', 'Open the chat in a new tab'];

  /** Black or white, whichever has more contrast with the colour (WCAG 2, relative luminance). */
  const light = [1, 3, 5].reduce((sum, at, part) => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    const linear = value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return sum + linear * [0.2126, 0.7152, 0.0722][part];
  }, 0);
  const ink = light > 0.179 ? '#000' : '#fff';

  /** Keeps a value in the page's own storage, if one is given. Returns the kept value. */
  const keep = (storage, value) => {
    try {
      if (value) {
        window[storage].handoff = value;
      }
      return window[storage].handoff;
    } catch {
      // Storage is blocked, so the next page shows only the button.
      return null;
    }
  };

  // The host element has no box and takes no styles of the page: important rules of a shadow root
  // win over those of the page (CSS Cascade 4, "Context").

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { all: initial !important; display: contents !important }
    .all { display: contents; color-scheme: light dark }
    .all[hidden] { display: none }
    .all * { box-sizing: border-box; font: 600 16px/1.4 system-ui, sans-serif }
    .all [hidden] { display: none }
    .at { position: fixed; ${position}: ${offsetX}px; z-index: ${zIndex}; color: ${ink}; background: ${color} }
    .at, .note { bottom: calc(${offsetY}px + env(safe-area-inset-bottom)); border: 0; border-radius: 24px; padding: 12px 20px }
    .at:focus-visible { outline: 2px solid; outline-offset: 2px }
    .note { bottom: calc(${+offsetY + 60}px + env(safe-area-inset-bottom)) }
    button { min-height: 48px; cursor: pointer; box-shadow: 0 2px 12px rgb(0 0 0/25%) }
    a { color: inherit }
    span { margin-inline-start: 8px; padding: 2px 8px; border-radius: 12px; background: #fff; color: #a3281d }
    @media (forced-colors: active) { .at { border: 2px solid } }
    @media print { .all { display: none } }
  `);
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const count = make('span', { hidden: true });
  const button = make('button', { className: 'at', type: 'button', hidden: 'launcher' in given });
  const note = make('div', { className: 'at note', role: 'alert' });
  const link = make('a', { href: chat, target: '_blank', rel: 'noopener', textContent: apart });
  const all = make('div', { className: 'all', lang: language, dir: /^(ar|fa|he|ur)/.test(language) ? 'rtl' : 'ltr' });
  const host = make('handoff-chat');
  button.append(given.label ?? label, count);
  all.append(button);
  host.attachShadow({ mode: 'open' }).append(all);
  host.shadowRoot.adoptedStyleSheets = [sheet];

  // Opening and closing.

  const listeners = {};
  const emit = (name, value) => {
    if (name === 'unread') {
      count.hidden = !value;
      count.textContent = value;
    }
    listeners[name]?.forEach((listen) => listen(value));
  };
  let isOpen = false;
  let isLoading = false;
  /** Whether the customer opened the panel on this page. Otherwise it was open on the page before. */
  let isPressed = false;
  let panel = null;
  let tries = 0;

  /** What the note says now. */
  let said = null;
  /** Shows a note if the chat cannot be reached, or not in a frame. A closed panel shows none. */
  const fail = (isDown) => {
    const reason = panel?.isRefused ? link : failed;
    const says = isDown && isOpen ? reason : null;
    if (says !== said) {
      said = says;
      note.remove();
    }
    if (says && !note.isConnected) {
      all.append(note);
      // A screen reader reads an alert when its content is set.
      note.replaceChildren(says);
    }
  };
  const load = async () => {
    isLoading = true;
    try {
      // A browser may remember that an address failed, so each attempt has another address.
      const { Panel } = await import(`${base}panel.js${tries ? `?${tries}` : ''}`);
      panel = new Panel({ base, given, language, color, ink, all, emit, fail, close: () => setOpen(false) });
      panel.identify(identity);
      panel.show(isOpen, isPressed);
    } catch (error) {
      console.warn(`handoff: ${error.message}`);
      tries += 1;
      fail(true);
      setTimeout(() => isOpen && load(), RETRY);
    }
    isLoading = false;
  };
  const setOpen = (opens, byPress = true) => {
    if (opens === isOpen) {
      return;
    }
    isOpen = opens;
    isPressed = byPress;
    all.hidden = false;
    keep('sessionStorage', opens ? 'open' : 'closed');
    keep('localStorage', 'used');
    button.setAttribute('aria-expanded', opens);
    fail(false);
    if (panel) {
      panel.show(opens, byPress);
    } else if (!isLoading) {
      load();
    }
    if (!opens && host.shadowRoot.activeElement) {
      button.focus({ preventScroll: true });
    }
  };

  /** A press of the button or of the launcher. */
  const press = () => {
    if (panel?.isRefused) {
      panel.retry();
      setOpen(false);
      window.open(chat, '_blank', 'noopener');
    } else {
      setOpen(!isOpen);
    }
  };

  /** The identity that the page gave last; undefined if it gave none. */
  let identity;
  const tell = (token) => {
    identity = token;
    if (panel) {
      panel.identify(token);
    } else if (keep('localStorage') && !isLoading) {
      // The chat must load, because a kept conversation may now belong to another customer.
      load();
    }
  };

  // The page around.

  const start = () => {
    if (launcher !== 'none' && !document.querySelector(launcher)) {
      console.warn(`handoff: data-launcher="${launcher}" names no element of this page so far`);
    }
    const put = () => host.isConnected || page.append(host);
    put();
    // The widget is put back when the page replaces its content.
    new MutationObserver(put).observe(page, { childList: true });
    if (keep('localStorage')) {
      const wasOpen = keep('sessionStorage') === 'open';
      const begin = () => (wasOpen ? setOpen(true, false) : panel || isLoading || load());
      (window.requestIdleCallback ?? setTimeout)(begin);
    }
  };
  button.setAttribute('aria-expanded', false);
  button.addEventListener('click', press);
  document.addEventListener('click', (event) => {
    const has = (selector) => event.target.closest?.(selector);
    // Where a browser refuses the frame, the link leads to the chat's own page.
    const isLink = has('a')?.href === chat && !panel?.isRefused;
    const isLauncher = launcher !== 'none' && has(launcher);
    if ((isLink || isLauncher) && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      if (isLink) {
        setOpen(true);
      } else {
        press();
      }
    }
  });
  window.handoff = {
    open: () => setOpen(true),
    close: () => setOpen(false),
    /** Closes the panel and removes the button, until the chat is opened again. */
    hide: () => {
      setOpen(false);
      all.hidden = true;
    },
    /** Takes the identity that the shop's backend has signed, or null when the customer has left. */
    identify: (token) => tell(token),
    logout: () => tell(null),
    /** Calls `listen(value)` at each change of 'open', 'unread' or 'state'. */
    on: (name, listen) => (listeners[name] ??= new Set()).add(listen),
  };
  // For scripts of the page that ran before this one.
  document.dispatchEvent(new Event('handoff'));
  if (document.readyState === 'loading') {
    document.addEventListener('DOMContentLoaded', start);
  } else {
    start();
  }
})();
