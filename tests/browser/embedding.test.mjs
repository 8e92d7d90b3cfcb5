// Which pages may show the chat, what a browser keeps for it in a frame, and hostile pages and
// frames.

import assert from 'node:assert/strict';

import { enter, handOver, inTime, press, say, scene, until, untilCount, untilShown, untilTrue } from './support.mjs';
import { BUTTON, chatFrame, openPanel, untilButton, untilPanel } from './widget.mjs';

/** Gateway and shop are of different sites. */
const FOREIGN = { shop: 'www.shop.test', host: 'chat.test' };
const NEAR = { shop: 'www.shop.test', host: 'chat.shop.test' };

/** Talks to an agent, before and after a change of the page. Returns the frame. */
async function talkOver(stage, page) {
  await page.goto(stage.shop.origin);
  let chat = await openPanel(page);
  await handOver(stage, chat);
  await say(chat, 'before');
  await stage.desk.untilText('before');
  await page.goto(`${stage.shop.origin}/other`);
  chat = await untilPanel(page);
  await untilShown(chat, 'before');
  await say(chat, 'after');
  await stage.desk.untilText('after');
  stage.desk.say('Hello');
  await untilCount(chat, 'Hello');
  return chat;
}

const cookieOf = async (stage) => (await stage.browser.cookies()).find(({ name }) => name === '__Host-handoff');

scene('in a frame on another site the token is a partitioned cookie', async (stage, page) => {
  const chat = await talkOver(stage, page);
  const cookie = await cookieOf(stage);
  assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite], [true, true, 'None']);
  assert.match(JSON.stringify(cookie.partitionKey), /shop\.test/);
  assert.equal(await chat.evaluate(() => document.cookie + (localStorage['handoff.token'] ?? '')), '');
  const apart = await stage.open();
  await untilTrue(apart, 'an empty chat', () => Boolean(document.querySelector('#intro:not([hidden])')));
  await say(apart, 'buttons');
  await untilShown(apart, 'Pick one');
  await page.bringToFront();
  await press(chat, 'More');
  await untilTrue(chat, 'the code', () => document.querySelector('#apart').href.includes('#pass='));
  const link = await chat.$eval('#apart', ({ href }) => href);
  const carried = await stage.blank();
  await carried.goto(link);
  await untilCount(carried, 'after');
  await untilCount(apart, 'after');
  await untilCount(apart, 'buttons', 0);
  assert.equal(carried.url(), `${stage.origin}/chat`);
  await say(carried, 'from the other window');
  await stage.desk.untilText('from the other window');
  await untilCount(chat, 'from the other window');
  const again = await stage.browser.createBrowserContext();
  const stranger = await again.newPage();
  await stranger.goto(link);
  await untilTrue(stranger, 'an empty chat', () => Boolean(document.querySelector('#intro:not([hidden])')));
}, FOREIGN);

scene('in a frame on the same site the conversation is that of the chat\'s own page', async (stage, page) => {
  await talkOver(stage, page);
  const cookie = await cookieOf(stage);
  assert.deepEqual([cookie.sameSite, cookie.partitionKey ?? null], ['Lax', null]);
  const apart = await stage.open();
  await enter(apart);
  await untilShown(apart, 'before');
}, NEAR);

scene('without partitioned storage a talk goes on over a change of the page', async (stage, page) => {
  await talkOver(stage, page);
}, { ...FOREIGN, flags: ['--disable-features=ThirdPartyStoragePartitioning'] });

scene('with third-party cookies blocked a talk goes on over a change of the page', async (stage, page) => {
  await talkOver(stage, page);
}, { ...FOREIGN, flags: ['--test-third-party-cookie-phaseout'] });

scene('where a browser keeps nothing the chat works, and says that it ends with the page', async (stage, page) => {
  await page.evaluateOnNewDocument(() => {
    if (window.top === window) {
      return;
    }
    const refuse = () => { throw new DOMException('blocked', 'SecurityError'); };
    for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches']) {
      Object.defineProperty(window, name, { get: refuse });
    }
    Object.defineProperty(Document.prototype, 'cookie', { get: refuse, set: refuse });
    Object.defineProperty(Navigator.prototype, 'locks', { get: refuse });
    window.BroadcastChannel = refuse;
  });
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await untilTrue(chat, 'the notice', () =>
    document.querySelector('#notice').textContent.includes('ends when you leave this page'));
  await handOver(stage, chat);
  stage.desk.say('Hello');
  await untilShown(chat, 'Hello');
}, FOREIGN);

scene('a shop of plain HTTP has a chat that goes on over a change of the page', async (stage, page) => {
  const chat = await talkOver(stage, page);
  assert.match(await chat.evaluate(() => localStorage['handoff.token']), /^"[\da-f]{32}"$/);
}, { shop: 'localhost' });

// The browser has no Web Locks and keeps no cookie for such a frame.
scene('a shop of plain HTTP on another site has a chat that goes on over a change of the page', async (stage, page) => {
  const chat = await talkOver(stage, page);
  assert.deepEqual(await chat.evaluate(() => [isSecureContext, navigator.locks === undefined, document.cookie]), [false, true, '']);
  assert.equal(await chat.$eval('#notice', (notice) => notice.textContent), '');
  const other = await openPanel(await stage.visit('/third'));
  await untilCount(other, 'Hello');
  await say(other, 'from another tab');
  await stage.desk.untilText('from another tab');
  await untilCount(chat, 'from another tab');
}, { shop: 'www.shop.test', flags: ['--host-resolver-rules=MAP www.shop.test 127.0.0.1'] });

/** Presses the button of a page that may not show the chat: no empty box stays. Returns the reason. */
async function refused(page) {
  await untilButton(page);
  await (await page.$(BUTTON)).click();
  await untilTrue(page, 'the note', () =>
    Boolean(document.querySelector('handoff-chat').shadowRoot.querySelector('[role=alert]')));
  const shown = await page.evaluate(() => {
    const { shadowRoot } = document.querySelector('handoff-chat');
    return shadowRoot.querySelectorAll('.open, iframe').length;
  });
  assert.equal(shown, 0);
  return page.console.filter((line) => line.startsWith('handoff:')).join();
}

scene('a proxy whose header forbids frames leaves no empty box', async (stage, page) => {
  stage.proxy.headers = { 'x-frame-options': 'DENY', 'content-security-policy': "frame-ancestors 'none'" };
  await page.goto(stage.shop.origin);
  assert.match(await refused(page), /does no proxy before it forbid frames/);
  stage.proxy.headers = {};
  await say(await untilPanel(page), 'buttons');
}, { shop: 'localhost', proxy: true });

scene('a page that may not show the chat keeps no empty box, and both sides say why', async (stage, page) => {
  // Another name of this machine is another origin.
  const foreign = stage.shop.origin.replace('localhost', '127.0.0.1');
  page.removeAllListeners('request');
  await page.goto(foreign);
  assert.match(await refused(page), new RegExp(`--origin ${foreign}`));
  const { text } = await stage.gateway.until('the notice', (it) => it.event === 'notice');
  assert.equal(text, `a page of ${foreign} wants to show the chat, and browsers do not let it: if it is yours, ` +
    `give --origin ${foreign} (this is shown once)`);
}, { shop: 'localhost' });

/** Opens a page of the shop that may not show the chat, and waits until its widget knows that. */
async function openRefused(stage, page) {
  page.removeAllListeners('request');
  await page.goto(stage.shop.origin.replace('localhost', '127.0.0.1'));
  await refused(page);
  await untilLinked(page);
}

/** Waits until a note leads to the chat's own page. */
const untilLinked = (page) => untilTrue(page, 'the link in the note', () =>
  Boolean(document.querySelector('handoff-chat')?.shadowRoot.querySelector('[role=alert] a')));

/** The page that a press opens in a tab of its own: it is the chat, and it works. */
async function apartBy(stage, page, press) {
  const opened = new Promise((resolve) => page.once('popup', resolve));
  await press();
  const apart = await inTime(opened, 'a new tab');
  await apart.waitForSelector('[role=log]');
  assert.equal(apart.url(), `${stage.origin}/chat`);
  await say(apart, 'buttons');
  await untilShown(apart, 'Pick one');
  await apart.close();
}

scene('where a browser refuses the chat, its link leads to the chat\'s own page, and no panel is said to be open', async (stage, page) => {
  stage.shop.pages['/'] = {
    head: '<script>document.addEventListener("handoff", () => { window.heard = []; handoff.on("open", (it) => heard.push(it)); })</script>',
    body: `<a id="link" href="${stage.origin}/chat">Talk to us</a>`,
  };
  await openRefused(stage, page);
  assert.deepEqual(await page.evaluate(() => window.heard), []);
  await page.click('#link');
  await untilTrue(page, 'the chat', () => Boolean(document.querySelector('[role=log]')));
  assert.equal(page.url(), `${stage.origin}/chat`);
}, { shop: 'localhost' });

scene('where a browser refuses the chat, button, launcher and note lead to the chat\'s own page in a new tab', async (stage, page) => {
  await openRefused(stage, page);
  await apartBy(stage, page, () => page.click('handoff-chat >>> [role=alert] a'));
  await apartBy(stage, page, () => page.click(BUTTON));
  assert.deepEqual(await page.evaluate(() => {
    const { shadowRoot } = document.querySelector('handoff-chat');
    return [shadowRoot.querySelector('[role=alert]'), shadowRoot.querySelector('button').ariaExpanded];
  }), [null, 'false'], 'nothing waits for the panel');
  await apartBy(stage, page, () => page.click(BUTTON));
  assert.equal(page.url(), `${stage.shop.origin.replace('localhost', '127.0.0.1')}/`);
  stage.shop.attributes = 'async data-launcher="#help"';
  stage.shop.pages['/'] = { body: '<button id="help">Help</button>' };
  await page.reload();
  await untilButton(page);
  await page.evaluate(() => window.handoff.open());
  await untilLinked(page);
  await apartBy(stage, page, () => page.click('#help'));
}, { shop: 'localhost' });

/** The browser's answer to a refused frame is there at once; a slow gateway is none. */
const SLOW = 4_000;

scene('a refused frame is known within seconds', async (stage, page) => {
  const foreign = stage.shop.origin.replace('localhost', '127.0.0.1');
  page.removeAllListeners('request');
  await page.goto(foreign);
  await untilButton(page);
  const before = Date.now();
  await refused(page);
  assert.ok(Date.now() - before < SLOW, `it took ${Date.now() - before} ms`);
}, { shop: 'localhost' });

scene('a chat whose program, style and words come late is no refused one', async (stage, page) => {
  stage.proxy.slow = { '/chat.js': SLOW, '/page.css': SLOW, '/words.en.js': SLOW };
  await page.goto(stage.shop.origin);
  await say(await openPanel(page), 'buttons');
  assert.deepEqual(page.console.filter((line) => line.startsWith('handoff:')), []);
  assert.equal(page.requests.filter((it) => it === 'GET /frame').length, 1);
}, { shop: 'localhost', proxy: true });

scene('where the gateway goes while the chat loads, its link still opens the panel, once the gateway is back', async (stage, page) => {
  stage.shop.pages['/'] = { body: `<a id="link" href="${stage.origin}/chat">Talk to us</a>` };
  await page.setRequestInterception(true);
  let isFirst = true;
  page.on('request', async (request) => {
    if (request.url().includes('/frame?') && isFirst) {
      isFirst = false;
      await stage.gateway.kill();
    }
    request.continue();
  });
  await page.goto(stage.shop.origin);
  await refused(page);
  await until('the gateway to be asked', async () =>
    page.requests.filter((it) => it === 'GET /panel.js').length === 2);
  await page.click('#link');
  assert.equal(page.url(), `${stage.shop.origin}/`);
  await stage.openGateway();
  await say(await untilPanel(page), 'buttons');
}, { shop: 'localhost' });

scene('frames around frames: each page around the chat must be allowed', async (stage, page) => {
  const foreign = stage.shop.origin.replace('localhost', '127.0.0.1');
  const frame = (url) => `<iframe src="${url}" width="600" height="600"></iframe>`;
  const chat = `${stage.origin}/frame`;
  stage.shop.pages = {
    '/chat-in-foreign': { body: frame(`${foreign}/chat`), line: '' },
    '/chat': { body: frame(chat), line: '' },
    '/allowed': { body: frame(`${stage.shop.origin}/chat`), line: '' },
  };
  page.removeAllListeners('request');
  const opens = async (url) => {
    await page.goto(url);
    const inner = page.frames().find((it) => it.url().startsWith(chat) || it.url().startsWith('chrome-error'));
    return inner.url().startsWith(chat);
  };
  assert.equal(await opens(`${stage.shop.origin}/chat`), true, 'an allowed page');
  assert.equal(await opens(`${stage.shop.origin}/allowed`), true, 'an allowed page in an allowed page');
  assert.equal(await opens(`${stage.shop.origin}/chat-in-foreign`), false, 'a foreign page in an allowed page');
  assert.equal(await opens(`${foreign}/allowed`), false, 'an allowed page in a foreign page');
}, { shop: 'localhost' });

scene('another frame on the page opens, reads and changes nothing by messages', async (stage, page) => {
  const evil = stage.shop.origin.replace('localhost', '127.0.0.1');
  stage.shop.pages = {
    '/': { body: `<iframe id="evil" src="${evil}/evil"></iframe>` },
    '/evil': {
      line: '',
      head: `<script>
        addEventListener('message', ({ source, data }) => {
          if (source !== window) document.title = 'heard ' + JSON.stringify(data);
        });
        setInterval(() => {
          for (const handoff of ['hello', 'ready', 'close', 'unread', 'state', 'shown', 'page', 'go']) {
            const message = { handoff, count: 66, isShown: true, takesFocus: true, state: 'closed', url: '${evil}/gone',
              page: { url: '${evil}/page', title: 'evil' }, look: { title: 'evil', color: '#ff0000' } };
            parent.postMessage(message, '*');
            for (let at = 0; at < parent.length; at += 1) {
              parent[at].postMessage(message, '*');
            }
          }
        }, 20);
      </script>`,
    },
  };
  page.removeAllListeners('request');
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await handOver(stage, chat);
  stage.desk.say('a secret');
  await untilShown(chat, 'a secret');
  await inTime(page.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 500); })), 'more messages');
  const inChat = await chat.evaluate(() => [document.title, document.querySelector('h1').textContent]);
  assert.deepEqual(inChat, ['Chat', 'Chat']);
  assert.equal(await page.title(), 'Shop /');
  assert.equal(page.url(), `${stage.shop.origin}/`);
  assert.ok(await page.evaluate(() => document.querySelector('handoff-chat').shadowRoot.querySelector('.open')), 'it is open');
  const hostile = page.frames().find((it) => it.url().endsWith('/evil'));
  assert.equal(await hostile.title(), 'Shop /evil', 'it heard nothing');
  assert.ok(!stage.desk.events.some((it) => it.event === 'page' && it.title === 'evil'));
}, { shop: 'localhost' });

const HOSTILE = `
  html { font-size: 62.5% !important }
  html > *, body *, iframe, button, div, ::before {
    display: block !important; position: static !important; opacity: 0.3 !important; transform: rotate(20deg) !important;
    filter: blur(3px) !important; width: 10px !important; height: 10px !important; color: red !important;
    background: yellow !important; font: 40px serif !important; visibility: hidden !important; letter-spacing: 1em !important;
    pointer-events: none !important; direction: rtl !important; zoom: 3 !important; text-transform: uppercase !important }`;

/** How the button and the panel look. */
const looks = (page) => page.evaluate(() => {
  const { shadowRoot } = document.querySelector('handoff-chat');
  return ['button', '.panel', 'iframe'].map((selector) => {
    const element = shadowRoot.querySelector(selector);
    const { x, y, width, height } = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const names = ['display', 'position', 'opacity', 'transform', 'filter', 'color', 'backgroundColor', 'font', 'visibility',
      'letterSpacing', 'pointerEvents', 'direction', 'textTransform'];
    return [x, y, width, height, ...names.map((name) => style[name])];
  });
});

scene('a hostile style sheet leaves the widget as it is, and the widget leaves the page\'s styles', async (stage, page) => {
  stage.shop.pages['/hostile'] = { head: `<style>${HOSTILE}</style>` };
  stage.shop.pages['/bare'] = { line: '' };
  const styles = () => page.evaluate(() => [...document.querySelectorAll('html, head, body, body *')].map((element) => {
    const style = getComputedStyle(element);
    return [...style].map((name) => `${name}:${style.getPropertyValue(name)}`).join(';');
  }));
  await page.goto(`${stage.shop.origin}/bare`);
  const bare = await styles();
  await page.goto(stage.shop.origin);
  await openPanel(page);
  assert.deepEqual(await styles(), bare);
  const usual = await looks(page);
  await page.evaluate(() => window.handoff.close());
  await page.goto(`${stage.shop.origin}/hostile`);
  await chatFrame(page);
  await page.evaluate(() => window.handoff.open());
  await untilPanel(page);
  assert.deepEqual(await looks(page), usual);
}, { shop: 'localhost' });

scene('a page with the strictest policy has the chat', async (stage, page) => {
  const policy = `default-src 'none'; script-src ${stage.origin}; frame-src ${stage.origin}; require-trusted-types-for 'script'`;
  stage.shop.pages['/'] = { headers: { 'content-security-policy': policy } };
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await say(chat, 'buttons');
  await untilShown(chat, 'Pick one');
  const nonce = `default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; frame-src ${stage.origin}; require-trusted-types-for 'script'`;
  stage.shop.attributes = 'async nonce="abc"';
  stage.shop.pages['/'] = { headers: { 'content-security-policy': nonce } };
  await page.reload();
  await untilShown(await untilPanel(page), 'Pick one');
  assert.deepEqual(page.console.filter((line) => /Content.Security|Trusted/.test(line) && !line.includes('data:')), []);
}, { shop: 'localhost' });

/** Where a page is scrolled to, and what in it has the focus. */
const placeOf = (page) => page.evaluate(() => [scrollY, document.activeElement.id, document.hasFocus()]);

scene('an open chat neither scrolls nor focuses the page at a load, an arrival or another size', async (stage, page) => {
  const head = `<script>addEventListener('DOMContentLoaded', () => {
    document.getElementById('search').focus();
    scrollTo(0, 400);
  })</script>`;
  stage.shop.pages['/other'] = { head, body: '<input id="search">' };
  await page.setViewport({ width: 1000, height: 700 });
  await page.goto(stage.shop.origin);
  await handOver(stage, await openPanel(page));
  await page.goto(`${stage.shop.origin}/other`);
  const chat = await untilPanel(page);
  await untilShown(chat, 'a human');
  const place = [400, 'search', true];
  assert.deepEqual(await placeOf(page), place, 'at a load');
  for (let count = 1; count <= 20; count += 1) {
    stage.desk.say(`line ${count}`);
  }
  await untilCount(chat, 'line 20');
  assert.deepEqual(await placeOf(page), place, 'at an arrival');
  for (const height of [500, 800]) {
    await page.setViewport({ width: 1000, height });
    await untilTrue(chat, 'another size', (most) => window.innerHeight <= most && window.innerHeight > most - 120, Math.min(height - 40, 720));
    assert.deepEqual(await placeOf(page), place, 'at another size');
  }
}, { shop: 'localhost' });

scene('a page is printed without the widget, be it open or closed', async (stage, page) => {
  await page.goto(stage.shop.origin);
  await openPanel(page);
  const visible = () => page.evaluate(() => ['button', '.panel', 'iframe'].filter((it) =>
    document.querySelector('handoff-chat').shadowRoot.querySelector(it).checkVisibility({ visibilityProperty: true })));
  assert.deepEqual(await visible(), ['button', '.panel', 'iframe']);
  await page.emulateMediaType('print');
  assert.deepEqual(await visible(), []);
  await page.emulateMediaType('screen');
  await page.evaluate(() => window.handoff.close());
  assert.deepEqual(await visible(), ['button']);
  await page.emulateMediaType('print');
  assert.deepEqual(await visible(), []);
}, { shop: 'localhost' });

for (const links of ['new', 'same']) {
  scene(`a link to a foreign page opens in a tab that knows nothing of the chat, with data-links="${links}"`, async (stage, page) => {
    stage.shop.attributes = `async data-links="${links}"`;
    const foreign = `${stage.shop.origin.replace('localhost', '127.0.0.1')}/foreign`;
    await page.goto(stage.shop.origin);
    const chat = await openPanel(page);
    await handOver(stage, chat);
    stage.desk.say(`Look at ${foreign}`);
    await untilShown(chat, '/foreign');
    const link = await chat.$eval('[role=log] a', ({ target, rel }) => [target, rel.split(' ').sort().join(' ')]);
    assert.deepEqual(link, ['_blank', 'noopener noreferrer']);
    await chat.click('[role=log] a');
    const opened = await (await stage.browser.waitForTarget((it) => it.url() === foreign)).page();
    assert.deepEqual(await opened.evaluate(() => [window.opener, document.referrer]), [null, '']);
    assert.equal(page.url(), `${stage.shop.origin}/`);
    await page.bringToFront();
    await say(chat, 'I looked');
    await stage.desk.untilText('I looked');
  }, { shop: 'localhost' });
}
