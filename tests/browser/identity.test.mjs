// Customers whom the shop knows: one conversation on every device, and nothing left for the next one.

import assert from 'node:assert/strict';

import { sign, SIGNED } from './keys.mjs';
import { enter, handOver, say, scene, until, untilCount, untilShown, untilTrue } from './support.mjs';
import { openPanel, untilButton, untilPanel } from './widget.mjs';

const SHOP = { shop: 'localhost', ...SIGNED };

const identify = (page, token) => page.evaluate((given) => window.handoff.identify(given), token);
const untilEmpty = (chat) => untilTrue(chat, 'an empty chat', () =>
  document.querySelectorAll('[role=log] .line').length === 0 && Boolean(document.querySelector('#intro:not([hidden])')));

/** Another device: a browser that shares nothing with the first one. */
async function device(stage) {
  const context = await stage.browser.createBrowserContext();
  const page = await context.newPage();
  await page.goto(stage.shop.origin);
  return page;
}

/** Ann, who has asked the bot something, in two tabs: the frames, and the page of the second one. */
async function annInTwoTabs(stage, page) {
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await identify(page, sign('ann'));
  await say(chat, 'buttons');
  await untilShown(chat, 'Pick one');
  const second = await stage.visit('/other');
  const other = await openPanel(second);
  await untilShown(other, 'Pick one');
  return { chat, second, other };
}

scene('a verified customer has one conversation on every device, and the agent sees who it is', async (stage, page) => {
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await identify(page, sign('ann', { attributes: { plan: 'gold' } }));
  await handOver(stage, chat);
  const seen = await stage.desk.until('the identity', (it) => it.event === 'page' && it.identity?.user);
  assert.deepEqual(seen.identity, { user: 'ann', attributes: { plan: 'gold' } });
  const second = await device(stage);
  await identify(second, sign('ann'));
  const other = await openPanel(second);
  await untilShown(other, 'I want to talk to a human');
  await say(other, 'from my phone');
  await stage.desk.untilText('from my phone');
  await untilCount(chat, 'from my phone');
  stage.desk.say('Hello Ann');
  await untilCount(chat, 'Hello Ann');
  await untilCount(other, 'Hello Ann');
}, SHOP);

scene('two conversations of one person become one: that with the human goes on', async (stage, page) => {
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await identify(page, sign('ann'));
  await say(chat, 'buttons');
  await untilShown(chat, 'Pick one');
  const second = await device(stage);
  const other = await openPanel(second);
  await handOver(stage, other);
  await identify(second, sign('ann'));
  await untilShown(other, 'Pick one');
  await untilShown(chat, 'I want to talk to a human');
  await say(chat, 'still there?');
  await stage.desk.untilText('still there?');
  stage.desk.say('Right here');
  for (const frame of [chat, other]) {
    for (const text of ['buttons', 'I want to talk to a human', 'still there?', 'Right here']) {
      await untilCount(frame, text);
    }
  }
}, SHOP);

scene('who logs out leaves nothing to the next customer, in no tab', async (stage, page) => {
  const { chat, second, other } = await annInTwoTabs(stage, page);
  await enter(other);
  await second.keyboard.type('my secret draft');
  const before = await chat.evaluate(() => localStorage['handoff.token']);
  await page.evaluate(() => window.handoff.logout());
  await untilEmpty(chat);
  await untilEmpty(other);
  assert.equal(await other.$eval('textarea', (input) => input.value), '');
  await untilTrue(chat, 'empty storage', () => Object.keys(localStorage).join() === '');
  const headers = { authorization: `Bearer ${JSON.parse(before)}` };
  await until('the former token to be dead', async () =>
    (await fetch(`${stage.origin}/api/entries?before=9`, { headers })).status === 401);
  await identify(page, sign('bob'));
  await say(chat, 'I am Bob');
  await untilShown(chat, 'I am Bob');
  await page.reload();
  await identify(page, sign('ann'));
  const again = await untilPanel(page);
  await untilShown(again, 'Pick one');
  assert.doesNotMatch(await again.$eval('[role=log]', (log) => log.innerText), /Bob/);
}, SHOP);

scene('another identity ends the sight of the former conversation at once, in every tab', async (stage, page) => {
  const { chat, other } = await annInTwoTabs(stage, page);
  await identify(page, sign('bob'));
  await untilEmpty(chat);
  await untilEmpty(other);
  await say(other, 'I am Bob');
  await untilCount(chat, 'I am Bob');
}, SHOP);

/** Waits until the customer's own lines in a tab are these and no others. */
const untilOnly = (chat, lines) => untilTrue(chat, `only: ${lines}`, (wanted) =>
  [...document.querySelectorAll('[role=log] [data-author=user] .bubble')].map((it) => it.innerText).join() === wanted,
  lines.join());

scene('whoever comes and goes, both tabs show what is theirs and nothing else', async (stage, page) => {
  await page.goto(stage.shop.origin);
  const first = await openPanel(page);
  const second = await stage.visit('/other');
  const pages = [page, second];
  const chats = [first, await openPanel(second)];
  let shown = [];
  const speak = async (tab, text) => {
    await pages[tab].bringToFront();
    await say(chats[tab], text);
    shown = [...shown, text];
    await Promise.all(chats.map((chat) => untilOnly(chat, shown)));
  };
  /** The shop's page in one tab signs this user in, or with null logs the customer out. */
  const comes = async (tab, user, lines) => {
    const kept = await chats[0].evaluate(() => localStorage['handoff.token']);
    await pages[tab].evaluate((token) => (token ? window.handoff.identify(token) : window.handoff.logout()), user && sign(user));
    shown = lines;
    if (lines.length) {
      // Another customer begins with an act, such as to open the panel.
      await pages[tab].evaluate(() => {
        window.handoff.close();
        window.handoff.open();
      });
    }
    await Promise.all(chats.map((chat) => untilOnly(chat, shown)));
    return kept && { authorization: `Bearer ${JSON.parse(kept)}` };
  };
  const isDead = (headers) => until('the former token to be dead', async () =>
    (await fetch(`${stage.origin}/api/entries?before=9`, { headers })).status === 401);
  await speak(0, 'nobody');
  await isDead(await comes(1, null, []));
  await comes(0, 'ann', []);
  await speak(1, 'ann');
  await isDead(await comes(1, 'bob', []));
  await speak(0, 'bob');
  await isDead(await comes(0, null, []));
  await comes(1, 'bob', ['bob']);
  await isDead(await comes(0, 'ann', ['ann']));
  await isDead(await comes(1, null, []));
  await speak(1, 'nobody else');
  // What was said before the sign-in is Bob's now, and stands before his own conversation, which goes on.
  await comes(0, 'bob', ['nobody else', 'bob']);
  await isDead(await comes(1, 'ann', ['ann']));
  await speak(0, 'ann again');
}, SHOP);

scene('what the leading tab tells before it hears of a logout is not shown after it', async (stage, page) => {
  const { second, other } = await annInTwoTabs(stage, page);
  const snapshot = await other.evaluate(() => new Promise((resolve) => {
    const tabs = new BroadcastChannel('handoff');
    tabs.onmessage = ({ data }) => data.kind === 'snapshot' && resolve(data);
    tabs.postMessage({ kind: 'hello', from: 'test' });
  }));
  assert.ok(snapshot.events.some(({ text }) => text === 'buttons'));
  await second.evaluate(() => window.handoff.logout());
  await untilEmpty(other);
  const shown = await other.evaluate((message) => new Promise((resolve) => {
    // Whoever listens to the tabs gets a message in the order in which they began to.
    const last = new BroadcastChannel('handoff');
    last.onmessage = ({ data }) => data.from === 'late' && resolve(document.querySelectorAll('[role=log] .line').length);
    new BroadcastChannel('handoff').postMessage({ ...message, to: undefined, from: 'late' });
  }), snapshot);
  assert.equal(shown, 0);
}, SHOP);

scene('two tabs that begin at once are one customer', async (stage, page) => {
  await page.goto(stage.shop.origin);
  const second = await stage.visit('/other');
  await Promise.all([page, second].map((it) => untilButton(it)));
  await Promise.all([page, second].map((it) => it.evaluate(() => window.handoff.open())));
  const chats = [await untilPanel(page), await untilPanel(second)];
  await say(chats[1], 'one');
  await Promise.all(chats.map((chat) => untilOnly(chat, ['one'])));
  await page.bringToFront();
  await say(chats[0], 'two');
  await Promise.all(chats.map((chat) => untilOnly(chat, ['one', 'two'])));
}, SHOP);

/** What the developer of the shop's page is told about identities that were refused. */
const refusals = (page) => page.console.filter((line) => line.includes('not verified'));

scene('a gateway that checks no identities names the option that it lacks', async (stage, page) => {
  await page.goto(stage.shop.origin);
  await openPanel(page);
  await identify(page, sign('ann'));
  await until('the line', async () => refusals(page).length > 0);
  assert.deepEqual(refusals(page), ['handoff: the customer is not verified: the gateway was started without --identity-keys']);
}, { shop: 'localhost' });

scene('a forged or expired identity is refused in one line, and the chat works unverified', async (stage, page) => {
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  const forged = [sign('ann', { key: 'another key' }), sign('ann', { seconds: -3600 }), sign('ann', { seconds: 200_000 })];
  for (const [count, token] of forged.entries()) {
    await identify(page, token);
    while (refusals(page).length <= count) {
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }
  assert.deepEqual(refusals(page), [
    "handoff: the customer is not verified: none of the gateway's keys has signed it",
    'handoff: the customer is not verified: it has expired',
    'handoff: the customer is not verified: it expires later than in 24 hours',
  ]);
  await handOver(stage, chat);
  const { identity } = await stage.desk.until('the page', (it) => it.event === 'page');
  assert.deepEqual(identity, {});
}, SHOP);
