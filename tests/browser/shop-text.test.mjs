// Text from a shop's page, its script line and its customers stays text: titles, addresses,
// languages, names and identities do nothing in the page, and reach an agent's program unchanged.

import assert from 'node:assert/strict';

import { frameOf, strangeIn, TEXTS } from './attacks.mjs';
import { sign, SIGNED } from './keys.mjs';
import { handOver, press, say, scene, untilShown, untilStatus, untilTrue } from './support.mjs';
import { openPanel } from './widget.mjs';

const SHOP = { shop: 'localhost', ...SIGNED };
const ATTACK = '"\'><img src=x onerror=alert(1)>';

/** The text as an attribute of HTML. */
const quoted = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

/** The elements of a shop's page and of the widget, and the attributes that could act. */
const elementsOf = (page) => page.evaluate(() => {
  const { shadowRoot } = document.querySelector('handoff-chat');
  return [...document.querySelectorAll('*'), ...shadowRoot.querySelectorAll('*')].map((it) =>
    [it.tagName, ...[...it.attributes].map(({ name }) => name).filter((name) => name.startsWith('on'))].join(' '));
});

/** An agent's program sees this page of the customer. */
const untilPage = (stage, what, fits) => stage.desk.until(what, (it) => it.event === 'page' && fits(it));

scene('titles, addresses and languages of pages do nothing and reach the desk as they are', async (stage, page) => {
  stage.shop.attributes = 'async data-page-query="sku"';
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await handOver(stage, chat);
  const before = [await elementsOf(page), await frameOf(chat)];
  for (const [n, text] of TEXTS.entries()) {
    await page.evaluate((given, number) => {
      document.documentElement.lang = given;
      document.title = given;
      history.pushState(null, '', `/${encodeURIComponent(given)}?sku=${number}${encodeURIComponent(given)}#${given}`);
    }, text, n);
    const seen = await untilPage(stage, `page ${n}`, ({ url }) => url.includes(`?sku=${n}`));
    const title = await page.title();
    assert.deepEqual([seen.title, seen.language], [title, text], `page ${n}`);
    assert.equal(decodeURIComponent(new URL(seen.url).pathname.slice(1)), text);
  }
  stage.desk.say('that was all');
  await untilShown(chat, 'that was all');
  assert.deepEqual([await elementsOf(page), await frameOf(chat)], before);
  assert.deepEqual(await strangeIn(chat), []);
}, SHOP);

scene('the script line\'s attributes are texts in the page and in the chat', async (stage, page) => {
  const names = ['label', 'title', 'opening', 'notice', 'language', 'color', 'launcher', 'ask', 'links', 'z-index'];
  stage.shop.attributes = `async ${names.map((name) => `data-${name}="${quoted(ATTACK)}"`).join(' ')}`;
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await untilTrue(chat, 'the notice', () => !document.querySelector('#consent').hidden);
  const shown = await chat.evaluate(() => [document.title,
    ...['h1', '.welcome', '#notice-text'].map((it) => document.querySelector(it).textContent)]);
  assert.deepEqual(shown, [ATTACK, ATTACK, ATTACK, ATTACK]);
  await press(chat, 'Agree and continue');
  await say(chat, 'buttons');
  await untilShown(chat, 'Pick one');
  assert.deepEqual(await strangeIn(chat), []);
  assert.equal((await elementsOf(page)).filter((it) => /^IMG| on/.test(it)).length, 0);
}, SHOP);

scene('a verified id and its attributes do nothing and reach the desk as they are', async (stage, page) => {
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  for (const [n, text] of TEXTS.filter((it) => Buffer.byteLength(it) <= 100).entries()) {
    const user = `${n} ${text}`;
    await page.evaluate((token) => window.handoff.identify(token), sign(user, { attributes: { note: text } }));
    await page.evaluate(() => { window.handoff.close(); window.handoff.open(); });
    await say(chat, 'I want to talk to a human');
    await untilStatus(chat, 'Waiting for a human');
    const { identity } = await untilPage(stage, user, (it) => it.identity?.user?.startsWith(`${n} `));
    assert.deepEqual(identity, { user, attributes: { note: text } });
    assert.deepEqual(await strangeIn(chat), []);
  }
}, SHOP);

scene('the name that a customer gives is a text in the page and at the desk', async (stage, page) => {
  await untilTrue(page, 'the button', () => document.querySelector('#human').textContent);
  await press(page, 'Talk to a human');
  await untilTrue(page, 'the form', () => !document.querySelector('#about').hidden);
  const before = await frameOf(page);
  await page.type('[name=name]', ATTACK);
  await press(page, 'Continue');
  await stage.desk.until('the call', ({ text }) => text === `Hey! ${ATTACK} wants to talk to you`);
  await untilPage(stage, 'the name', ({ name }) => name === ATTACK);
  stage.desk.say('/accept');
  await untilStatus(page, 'is here');
  stage.desk.say('Hello');
  await untilShown(page, 'Hello');
  assert.deepEqual(await frameOf(page), before);
  assert.deepEqual(await strangeIn(page), []);
}, { web: ['--ask', 'name'] });
