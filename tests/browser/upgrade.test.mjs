// A gateway is replaced by a later build while browsers have files of the earlier one. Those files
// were saved from a build of November 2026 (save-build.mjs); the gateway is always today's.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { sameEverywhere } from './lines.mjs';
import { enter, handOver, press, say, scene, untilCount, untilShown, untilStatus, untilTrue } from './support.mjs';
import { BUTTON, openPanel, untilClosed, untilPanel, untilUnfocused, untilUnread } from './widget.mjs';

const ASK = 'I want to talk to a human';
const EARLIER = JSON.parse(readFileSync(new URL('../fixtures/widget/earlier.json', import.meta.url), 'utf8'));

/** The saved files whose paths begin with one of `begins`, for the pages of this shop. */
const earlier = (stage, ...begins) => Object.fromEntries(Object.entries(EARLIER)
  .filter(([path]) => begins.some((begin) => path.startsWith(begin)))
  .map(([path, { type, text }]) => [path, { type, text: text.replace('http://shop.example', stage.shop.origin) }]));

scene('a page opened under an earlier build goes on after the gateway is replaced', async (stage, page) => {
  stage.proxy.kept = earlier(stage, '/');
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await say(chat, 'buttons');
  await untilShown(chat, 'Pick one');
  await press(chat, 'Yes');
  await untilShown(chat, 'You said yes.');
  await handOver(stage, chat);
  stage.desk.say('before');
  await untilCount(chat, 'before');

  stage.proxy.kept = {};
  await stage.gateway.kill();
  await say(chat, 'during the upgrade');
  await stage.openGateway();
  await stage.desk.untilText('during the upgrade');
  stage.desk.say('after it');
  await untilCount(chat, 'after it');
  await enter(chat);
  await page.keyboard.type('half a sen');

  await page.goto(`${stage.shop.origin}/other`);
  const now = await untilPanel(page);
  assert.ok(page.requests.some((it) => it.startsWith('GET /assets/') && !EARLIER[it.slice(4)]), 'it has the files of today');
  await untilTrue(now, 'the draft', () => document.querySelector('textarea').value === 'half a sen');
  await say(now, 'tence');
  await stage.desk.untilText('half a sentence');
  await sameEverywhere(stage, now, {
    user: ['buttons', 'Yes', ASK, 'during the upgrade', 'half a sentence'],
    admin: ['before', 'after it'],
  });
  stage.desk.say('/handback');
  await untilStatus(now, 'The bot answers here');
}, { shop: 'localhost', proxy: true });

const MIXES = {
  'a cached loader and panel': ['/widget.js', '/panel.js'],
  'a cached loader': ['/widget.js'],
  'a cached frame': ['/frame', '/assets/'],
};
for (const [what, begins] of Object.entries(MIXES)) {
  scene(`${what} of an earlier build and the rest of this one are a whole widget`, async (stage, page) => {
    stage.proxy.kept = earlier(stage, ...begins);
    await page.goto(stage.shop.origin);
    const chat = await openPanel(page);
    await handOver(stage, chat);
    stage.desk.say('Hello');
    await untilCount(chat, 'Hello');
    await press(chat, 'Close');
    await untilClosed(page);
    await untilUnfocused(chat);
    stage.desk.say('are you there?');
    await untilUnread(page, 1);
    if (!begins.includes('/frame')) {
      await page.goto(`${stage.shop.origin}/other`);
      await untilUnread(page, 1);
    }
    await (await page.$(BUTTON)).click();
    const again = await untilPanel(page);
    await untilUnread(page, 0);
    await say(again, 'Yes');
    await stage.desk.untilText('Yes');
    for (const text of ['Hello', 'are you there?', 'Yes']) {
      await untilCount(again, text);
    }
  }, { shop: 'localhost', proxy: true });
}
