// The widget on a phone, in both colour schemes, for axe, and in Firefox.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { handOver, press, say, scene, untilCount, untilShown, untilTrue } from './support.mjs';
import { BUTTON, openPanel, untilButton, untilClosed, untilPanel, untilUnread } from './widget.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SHOP = { shop: 'localhost' };
const PHONE = { width: 390, height: 760, isMobile: true, hasTouch: true };

/** Where an element of the chat is, within the window. */
async function boxOf(page, chat, selector) {
  const frame = await (await page.$('handoff-chat >>> iframe')).boundingBox();
  const box = await chat.$eval(selector, (element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return { left, top, right, bottom };
  });
  const { x, y } = frame;
  return { left: x + box.left, top: y + box.top, right: x + box.right, bottom: y + box.bottom };
}

async function isWithin(page, chat, selector, { top, bottom, left = 0, right = PHONE.width }, what) {
  const box = await boxOf(page, chat, selector);
  const fits = box.top >= top - 1 && box.bottom <= bottom + 1 && box.left >= left - 1 && box.right <= right + 1;
  assert.ok(fits, `${what}: ${selector} is at ${JSON.stringify(box)}`);
}

scene('on a phone the panel stays above the on-screen keyboard and within the safe area', async (stage, page) => {
  // Browsers lay the keyboard over the page and tell only the visual viewport.
  await page.evaluateOnNewDocument(() => {
    if (window.top === window) {
      const viewport = new EventTarget();
      Object.assign(viewport, { height: window.innerHeight, offsetTop: 0, scale: 1 });
      Object.defineProperty(window, 'visualViewport', { value: viewport });
    }
  });
  await page.setViewport(PHONE);
  stage.shop.pages['/'] = { head: '<meta name="viewport" content="width=device-width, viewport-fit=cover">' };
  await page.goto(stage.shop.origin);
  await page.evaluate(() => scrollTo(0, 300));
  const chat = await openPanel(page);
  await handOver(stage, chat);
  for (let count = 1; count <= 12; count += 1) {
    stage.desk.say(`line ${count}`);
  }
  await untilShown(chat, 'line 12');
  const whole = { top: 0, bottom: PHONE.height };
  for (const selector of ['#head', '#send', '#close', '.line:last-child']) {
    await isWithin(page, chat, selector, whole, 'without the keyboard');
  }
  const size = await chat.$eval('textarea', (input) => parseFloat(getComputedStyle(input).fontSize));
  assert.ok(size >= 16, 'no zoom at the focus');
  await page.evaluate((height) => {
    Object.assign(window.visualViewport, { height, offsetTop: 120 });
    window.visualViewport.dispatchEvent(new Event('resize'));
  }, PHONE.height / 2);
  await untilTrue(chat, 'the smaller panel', () => window.innerHeight < 400);
  const free = { top: 120, bottom: 120 + PHONE.height / 2 };
  await untilTrue(chat, 'the last line', () =>
    document.querySelector('.line:last-child').getBoundingClientRect().bottom
      <= document.querySelector('#foot').getBoundingClientRect().top);
  for (const selector of ['textarea', '#send', '.line:last-child']) {
    await isWithin(page, chat, selector, free, 'with the keyboard');
  }
  await page.evaluate((height) => {
    Object.assign(window.visualViewport, { height, offsetTop: 0 });
    window.visualViewport.dispatchEvent(new Event('resize'));
  }, PHONE.height);
  await untilTrue(chat, 'the whole panel', () => window.innerHeight > 700);
  const session = await page.createCDPSession();
  await session.send('Emulation.setSafeAreaInsetsOverride', { insets: { top: 44, bottom: 34, left: 0, right: 0 } });
  await untilTrue(chat, 'the insets', () => window.innerHeight < 700);
  for (const selector of ['#head', '#close', '#send']) {
    await isWithin(page, chat, selector, { top: 44, bottom: PHONE.height - 34 }, 'with a notch');
  }
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).overflow), 'hidden');
  await press(chat, 'Close');
  await untilTrue(page, 'the page again', () => getComputedStyle(document.documentElement).overflow !== 'hidden');
  assert.equal(await page.evaluate(() => scrollY), 300);
}, SHOP);

scene('on a phone Enter breaks the line, Send sends, and the keyboard covers nothing of the chat\'s own page', async (stage, page) => {
  await page.setViewport(PHONE);
  // As above: the keyboard is a smaller visual viewport.
  await page.evaluateOnNewDocument(() => {
    const viewport = new EventTarget();
    Object.assign(viewport, { height: window.innerHeight, offsetTop: 0, scale: 1 });
    Object.defineProperty(window, 'visualViewport', { value: viewport });
  });
  await page.reload();
  await untilTrue(page, 'the chat', () => !document.querySelector('textarea').disabled);
  await page.tap('textarea');
  assert.equal(await page.$eval('textarea', (input) => input.getAttribute('enterkeyhint')), 'enter');
  await page.keyboard.type('first');
  await page.keyboard.press('Enter');
  await page.keyboard.type('second');
  await page.tap('#send');
  await untilCount(page, 'second');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'input', 'the keyboard stays');
  await page.tap('#human');
  await stage.desk.untilText('first\nsecond');
  stage.desk.say('/accept');
  for (let count = 1; count <= 4; count += 1) {
    stage.desk.say(`line ${count}`);
  }
  await untilShown(page, 'line 4');
  const keyboard = (height, offsetTop) => page.evaluate((sizes) => {
    Object.assign(window.visualViewport, sizes);
    window.visualViewport.dispatchEvent(new Event('resize'));
  }, { height, offsetTop });
  const areWithin = (top, bottom) => untilTrue(page, `everything from ${top} to ${bottom}`, (from, to) =>
    ['#head', 'textarea', '#send', '.line:last-child'].every((selector) => {
      const box = document.querySelector(selector).getBoundingClientRect();
      return box.top >= from - 1 && box.bottom <= to + 1 && (selector !== '.line:last-child'
        || box.bottom <= document.querySelector('#foot').getBoundingClientRect().top);
    }), top, bottom);
  await keyboard(PHONE.height / 2, 120);
  await areWithin(120, 120 + PHONE.height / 2);
  await keyboard(PHONE.height, 0);
  await areWithin(0, PHONE.height);
});

scene('no phone zooms when a field gets the focus, and the customer may', async (stage, page) => {
  await page.setViewport(PHONE);
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  const apart = await stage.open();
  await apart.setViewport(PHONE);
  for (const target of [chat, apart]) {
    await (target.page?.() ?? target).bringToFront();
    await press(target, 'Talk to a human');
    await untilTrue(target, 'the form', () => !document.querySelector('#about').hidden);
    const [sizes, isCoarse, viewport] = await target.evaluate(() => [
      [...document.querySelectorAll('textarea, input, select')].filter((it) => it.checkVisibility())
        .map((it) => parseFloat(getComputedStyle(it).fontSize)),
      matchMedia('(pointer: coarse)').matches,
      document.querySelector('meta[name=viewport]').content,
    ]);
    // A frame of another site does not know of a touch screen that is only simulated.
    assert.ok(isCoarse || target === chat);
    assert.equal(sizes.length, 3, 'the message, the name and the address');
    assert.deepEqual(sizes.filter((size) => size < 16), []);
    assert.doesNotMatch(viewport, /user-scalable|maximum-scale/);
  }
}, { ...SHOP, web: ['--ask', 'name,email'] });

/** What axe finds in this page or frame. */
async function findings(target) {
  const session = await (target.page?.() ?? target).createCDPSession();
  await session.send('Page.setBypassCSP', { enabled: true });
  await target.evaluate(`${AXE}; 0`);
  const found = await target.evaluate(() => window.axe.run(document, { iframes: false }).then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])));
  await session.detach();
  return found;
}

scene('axe finds nothing on the page, the button and the chat in its frame', async (stage, page) => {
  await page.setBypassCSP(true);
  await page.goto(stage.shop.origin);
  await untilButton(page);
  assert.deepEqual(await findings(page), [], 'the button');
  const chat = await openPanel(page);
  for (const scheme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    assert.deepEqual(await findings(page), [], `the page, ${scheme}`);
    assert.deepEqual(await findings(chat), [], `the empty chat, ${scheme}`);
  }
  await handOver(stage, chat);
  stage.desk.say('Hello');
  await untilShown(chat, 'Hello');
  await press(chat, 'More');
  assert.deepEqual(await findings(chat), [], 'the menu');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await untilClosed(page);
  stage.desk.say('Are you there?');
  await untilUnread(page, 1);
  assert.deepEqual(await findings(page), [], 'unread messages');
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await untilButton(page);
  await stage.gateway.kill();
  await (await page.$(BUTTON)).click();
  await untilTrue(page, 'the note', () =>
    document.querySelector('handoff-chat')?.shadowRoot.querySelector('[role=alert]'));
  assert.deepEqual(await findings(page), [], 'the note');
}, SHOP);

/** The colour of a point of a screenshot. */
const colourAt = async (page, [x, y]) => {
  const shot = await page.screenshot({ clip: { x, y, width: 1, height: 1 }, encoding: 'base64' });
  return page.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).join();
  }, shot);
};

scene('no box of another colour is behind the frame, light or dark', async (stage, page) => {
  await page.setViewport({ width: 1000, height: 800 });
  for (const around of ['light', 'dark']) {
    stage.shop.pages['/'] = { head: `<style>html { color-scheme: ${around}; background: rgb(9, 99, 199) }</style>` };
    for (const scheme of ['light', 'dark']) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.goto(stage.shop.origin);
      await page.evaluate(() => sessionStorage.clear());
      await untilButton(page);
      await page.evaluate(() => window.handoff.open());
      const chat = await untilPanel(page);
      const { x, y, width, height } = await (await page.$('handoff-chat >>> .panel')).boundingBox();
      const [ground, ...parts] = await Promise.all([[x + width / 2, y + 200], [x + 3, y + height / 2], [x + width - 3, y + height / 2]]
        .map((point) => colourAt(page, point)));
      const own = await chat.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      assert.equal(`rgb(${ground.replaceAll(',', ', ')})`, own, `${around} page, ${scheme} widget`);
      assert.deepEqual(parts, [ground, ground]);
      assert.equal(await colourAt(page, [x + 1, y + 1]) === ground, false, 'the corner shows the page');
    }
  }
}, SHOP);

scene('in Firefox a customer is handed over in the panel, over a change of the page', async (stage, page) => {
  await page.goto(stage.shop.origin);
  let chat = await openPanel(page);
  await handOver(stage, chat);
  stage.desk.say('Hello');
  await untilCount(chat, 'Hello');
  await page.goto(`${stage.shop.origin}/other`);
  chat = await untilPanel(page);
  await untilCount(chat, 'Hello');
  await say(chat, 'from Firefox');
  await stage.desk.untilText('from Firefox');
}, { ...SHOP, browser: 'firefox' });
