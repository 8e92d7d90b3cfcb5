// The widget on a shop's pages: a customer's way through them, and the pages left as they are.

import assert from 'node:assert/strict';

import { enter, handOver, inTime, press, say, scene, untilCount, untilShown, untilTrue } from './support.mjs';
import { BUTTON, openPanel, untilButton, untilClosed, untilGone, untilPanel, untilUnfocused, untilUnread } from './widget.mjs';

const SHOP = { shop: 'localhost' };

scene('a customer is handed over in the panel, and the shop\'s next pages go on with it', async (stage, page) => {
  stage.shop.attributes = 'async data-page-query="sku,page"';
  await page.goto(`${stage.shop.origin}/?sku=7&token=secret#fragment`);
  let chat = await openPanel(page);
  await handOver(stage, chat);
  const seenPage = stage.desk.events.find((it) => it.event === 'page');
  assert.deepEqual([seenPage.url, seenPage.title, seenPage.language], [`${stage.shop.origin}/?sku=7`, 'Shop /?sku=7&token=secret', 'en']);
  stage.desk.say('Hello');
  await untilShown(chat, 'Hello');
  await enter(chat);
  await page.keyboard.type('half a sen');
  await page.click('a[href="/other"]');
  await untilTrue(page, 'the other page', () => document.title === 'Shop /other');
  chat = await untilPanel(page);
  await untilShown(chat, 'Hello');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'BODY', 'the page keeps the focus');
  await stage.desk.until('the other page', (it) => it.event === 'page' && it.url.endsWith('/other'));
  await say(chat, 'tence');
  await stage.desk.untilText('half a sentence');
  await page.keyboard.press('Escape');
  await untilClosed(page);
  stage.desk.say('one');
  await untilUnread(page, 1);
  await page.goto(stage.shop.origin);
  await untilUnread(page, 1);
  stage.desk.say('two');
  await untilUnread(page, 2);
  chat = await openPanel(page);
  await untilUnread(page, 0);
  for (const text of ['Hello', 'half a sentence', 'one', 'two']) {
    await untilCount(chat, text);
  }
}, SHOP);

/** A frame that never hears that the page around has hidden it. A busy browser tells it late. */
function neverHearHidden() {
  Document.prototype.hasFocus = () => true;
  addEventListener('message', (message) => {
    if (message.data.handoff === 'shown' && !message.data.isShown) {
      message.stopImmediatePropagation();
    }
  }, true);
}

scene('a message is unread when it arrives in the moment that the customer closes the chat', async (stage, page) => {
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await handOver(stage, chat);
  for (const [count, close] of [() => page.keyboard.press('Escape'), () => press(chat, 'Close')].entries()) {
    if (count > 0) {
      await openPanel(page);
      await untilUnread(page, 0);
    }
    await close();
    await untilClosed(page);
    stage.desk.say('one more thing');
    await untilUnread(page, 1);
  }
}, { ...SHOP, prepare: neverHearHidden });

scene('the focus goes into the chat when the customer opens it, and back when they close it', async (stage, page) => {
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await untilTrue(chat, 'the focus', () => document.activeElement.tagName === 'TEXTAREA' && document.hasFocus());
  await page.keyboard.press('Escape');
  const focused = () => document.querySelector('handoff-chat').shadowRoot.activeElement?.className;
  await untilTrue(page, 'the button to have the focus', () =>
    document.querySelector('handoff-chat').shadowRoot.activeElement?.className === 'at');
  await page.keyboard.press('Enter');
  await untilPanel(page);
  await press(chat, 'Close');
  await untilClosed(page);
  assert.equal(await page.evaluate(focused), 'at');
}, SHOP);

/** Where the page is scrolled to, what has the focus, and how long its history is. */
const place = (page) => page.evaluate(() => [scrollY, document.activeElement.id, history.length]);

scene('the page is not scrolled, not covered and not focused away', async (stage, page) => {
  stage.shop.pages['/'] = { body: '<input id="search">' };
  await page.setViewport({ width: 1000, height: 700 });
  await page.goto(stage.shop.origin);
  await untilButton(page);
  await page.click('#search');
  await page.evaluate(() => scrollTo(0, 400));
  const before = await place(page);
  await page.evaluate(() => window.handoff.open());
  const chat = await untilPanel(page);
  await handOver(stage, chat);
  await page.evaluate(() => window.handoff.close());
  await page.evaluate(() => document.getElementById('search').focus({ preventScroll: true }));
  await untilUnfocused(chat);
  stage.desk.say('are you there?');
  await untilUnread(page, 1);
  assert.deepEqual(await place(page), before);
  const covered = await page.evaluate(() => {
    const found = new Set();
    for (let x = 5; x < innerWidth; x += 10) {
      for (let y = 5; y < innerHeight; y += 10) {
        const element = document.elementFromPoint(x, y);
        if (element?.tagName === 'HANDOFF-CHAT') {
          found.add(element.shadowRoot.elementFromPoint(x, y).className);
        }
      }
    }
    return [...found];
  });
  assert.deepEqual(covered.filter((it) => it !== 'at' && it !== ''), [], 'only the button and its count');
  await page.evaluate(() => window.handoff.hide());
  assert.equal(await page.$eval(BUTTON, (button) => button.checkVisibility()), false);
}, SHOP);

scene('a page that replaces its content, and a line that runs twice, have one widget', async (stage, page) => {
  stage.shop.pages['/'] = { body: stage.shop.line };
  await page.goto(stage.shop.origin);
  let chat = await openPanel(page);
  await say(chat, 'buttons');
  await untilShown(chat, 'Pick one');
  await enter(chat);
  await page.keyboard.type('a draft');
  await page.evaluate(() => {
    const body = document.createElement('body');
    body.append('another page');
    document.body.replaceWith(body);
  });
  chat = await untilPanel(page);
  await untilTrue(chat, 'the draft', () => document.querySelector('textarea').value === 'a draft');
  const former = chat;
  await page.evaluate(() => document.documentElement.replaceChildren(document.createElement('body')));
  await untilGone(former);
  chat = await untilPanel(page);
  await untilTrue(chat, 'the draft', () => document.querySelector('textarea').value === 'a draft');
  await untilCount(chat, 'buttons');
  assert.equal(await page.evaluate(() => document.querySelectorAll('handoff-chat').length), 1);
  await inTime(stage.proxy.until(() => stage.proxy.streams.size === 1), 'one stream');
}, { ...SHOP, proxy: true });

scene('the line works wherever it stands, and when a script puts it there late', async (stage, page) => {
  const late = `<script>addEventListener('load', () => {
    const script = Object.assign(document.createElement('script'), { src: '${stage.origin}/widget.js', async: true });
    script.dataset.label = 'Late';
    document.head.append(script);
  })</script>`;
  stage.shop.pages = { '/body': { line: '', body: stage.shop.line }, '/late': { line: late } };
  for (const [path, label] of [['/', 'Chat'], ['/body', 'Chat'], ['/late', 'Late']]) {
    await page.goto(stage.shop.origin + path);
    await untilButton(page);
    assert.equal(await page.$eval(BUTTON, (button) => button.firstChild.data), label, path);
    const chat = await openPanel(page);
    await enter(chat);
    await page.evaluate(() => window.handoff.close());
  }
}, SHOP);

scene('a gateway that is down while a page loads delays nothing, and the plain link stays', async (stage, page) => {
  stage.shop.pages['/'] = { body: `<a id="link" href="${stage.origin}/chat">Talk to us</a>` };
  await stage.gateway.kill();
  await page.goto(stage.shop.origin);
  const end = await page.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd);
  assert.ok(end > 0 && end < 5_000, `loaded after ${end} ms`);
  assert.equal(await page.$('handoff-chat'), null);
  await stage.openGateway();
  await page.click('#link');
  await untilTrue(page, 'the chat', () => document.querySelector('[role=log]'));
}, SHOP);

scene('a link to the chat opens the panel, and works as a link where the script is blocked', async (stage, page) => {
  const body = `<a id="link" href="${stage.origin}/chat">Talk to us</a>`;
  stage.shop.pages = { '/': { body }, '/blocked': { body, line: '' } };
  await page.goto(stage.shop.origin);
  await untilButton(page);
  await page.click('#link');
  await untilPanel(page);
  assert.equal(page.url(), `${stage.shop.origin}/`);
  await page.goto(`${stage.shop.origin}/blocked`);
  await page.click('#link');
  await untilTrue(page, 'the chat', () => document.querySelector('[role=log]'));
  assert.equal(page.url(), `${stage.origin}/chat`);
}, SHOP);

scene('the shop decides on launcher, texts, colour and place, and hears what happens', async (stage, page) => {
  stage.shop.attributes = 'async data-launcher="#mine" data-color="#ffd54a" data-position="left" data-offset-x="40"'
    + ' data-title="Ask Ada" data-opening="Good day!" data-z-index="7" data-links="same" data-colour="red" data-offset-y="low"';
  stage.shop.pages['/'] = {
    head: '<script>document.addEventListener("handoff", () => { window.isThere = Boolean(window.handoff); })</script>',
    body: '<button id="mine">Help</button>',
  };
  await page.goto(stage.shop.origin);
  await untilTrue(page, 'the API', () => window.isThere);
  await page.evaluate(() => {
    window.heard = [];
    for (const name of ['open', 'unread', 'state']) {
      window.handoff.on(name, (value) => window.heard.push([name, value]));
    }
  });
  await page.click('#mine');
  const chat = await untilPanel(page);
  await untilShown(chat, '');
  const look = await chat.evaluate(() => [
    document.querySelector('h1').textContent,
    document.querySelector('.welcome').textContent,
    getComputedStyle(document.documentElement).getPropertyValue('--mine'),
    getComputedStyle(document.documentElement).getPropertyValue('--on-mine'),
    getComputedStyle(document.documentElement).getPropertyValue('--accent') === '#ffd54a',
  ]);
  assert.deepEqual(look, ['Ask Ada', 'Good day!', '#ffd54a', '#000', false]);
  const [left, zIndex, hidden] = await page.evaluate(() => {
    const { shadowRoot } = document.querySelector('handoff-chat');
    const panel = shadowRoot.querySelector('.panel');
    return [panel.getBoundingClientRect().left, getComputedStyle(panel).zIndex, shadowRoot.querySelector('button').hidden];
  });
  assert.deepEqual([left, zIndex, hidden], [40, '7', true]);
  assert.deepEqual(page.console, [
    'handoff: data-offset-y="low" is not understood and has no effect',
    'handoff: data-colour="red" is not understood and has no effect',
  ].sort((one, other) => page.console.indexOf(one) - page.console.indexOf(other)));
  await handOver(stage, chat);
  stage.desk.say(`Look at ${stage.shop.origin}/other`);
  await untilShown(chat, '/other');
  await untilTrue(page, 'the state', () => window.heard.some(([name, value]) => name === 'state' && value === 'active'));
  assert.deepEqual(await page.evaluate(() => window.heard[0]), ['open', true]);
  await chat.click('[role=log] a');
  await untilTrue(page, 'the page of the link', () => document.title === 'Shop /other');
}, SHOP);

scene('a language that the chat does not speak and a launcher that is not there are told in one line each', async (stage, page) => {
  stage.shop.attributes = 'async data-language="xx" data-launcher="#nothere"';
  await page.goto(stage.shop.origin);
  await untilTrue(page, 'the widget', () => window.handoff && document.querySelector('handoff-chat'));
  assert.deepEqual(page.console, [
    'handoff: data-language="xx" is not understood and has no effect',
    'handoff: data-launcher="#nothere" names no element of this page so far',
  ]);
  await page.evaluate(() => window.handoff.open());
  assert.equal(await (await untilPanel(page)).evaluate(() => document.documentElement.lang), 'en');
  stage.shop.attributes = 'async data-language="de_AT" data-launcher="main"';
  page.console.length = 0;
  await page.goto(stage.shop.origin);
  assert.equal(await (await untilPanel(page)).evaluate(() => document.documentElement.lang), 'de');
  assert.deepEqual(page.console, []);
}, SHOP);

scene('a gateway that is down at the press is told, and the panel opens when it is back', async (stage, page) => {
  await page.goto(stage.shop.origin);
  await untilButton(page);
  await stage.gateway.kill();
  await (await page.$(BUTTON)).click();
  await untilTrue(page, 'the note', () =>
    document.querySelector('handoff-chat').shadowRoot.querySelector('[role=alert]')?.textContent.includes('cannot be reached'));
  await stage.openGateway();
  const chat = await untilPanel(page);
  await say(chat, 'buttons');
  await untilShown(chat, 'Pick one');
  assert.equal(await page.evaluate(() =>
    document.querySelector('handoff-chat').shadowRoot.querySelector('[role=alert]')), null);
}, SHOP);

scene('a page that the customer goes back to has the chat as it is now', async (stage, page) => {
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await handOver(stage, chat);
  await page.goto(`${stage.shop.origin}/other`);
  const other = await untilPanel(page);
  stage.desk.say('while you were away');
  await untilShown(other, 'while you were away');
  await page.goBack();
  const back = await untilPanel(page);
  await untilCount(back, 'while you were away');
  await say(back, 'here again');
  await stage.desk.untilText('here again');
  await untilCount(back, 'here again');
  assert.equal(await page.evaluate(() => document.querySelectorAll('handoff-chat').length), 1);
}, SHOP);

scene('a page that the browser kept whole goes on with its draft and its stream', async (stage, page) => {
  stage.shop.pages['/bare'] = { line: '' };
  await page.evaluateOnNewDocument(() => addEventListener('pageshow', ({ persisted }) => {
    window.isRestored = persisted;
  }));
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await handOver(stage, chat);
  await enter(chat);
  await page.keyboard.type('half a sen');
  await page.keyboard.press('Escape');
  await untilClosed(page);
  await page.goto(`${stage.shop.origin}/bare`);
  await page.goBack();
  await untilTrue(page, 'the page as it was', () => window.isRestored);
  stage.desk.say('welcome back');
  await untilUnread(page, 1);
  // The browser's driver has lost the frame, the keyboard has not.
  await (await page.$(BUTTON)).click();
  await untilUnread(page, 0);
  await page.keyboard.type('tence');
  await page.keyboard.press('Enter');
  await stage.desk.untilText('half a sentence');
}, SHOP);
