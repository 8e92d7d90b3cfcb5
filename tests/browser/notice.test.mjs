// The notice that a customer must accept before the first word.

import assert from 'node:assert/strict';

import { press, say, scene, untilCount, untilShown, untilTrue } from './support.mjs';
import { openPanel, untilPanel } from './widget.mjs';

const TEXT = 'We keep what you write. <b>See</b> "[our privacy notice](https://shop.example/privacy)".';
const isDue = (target) => target.evaluate(() => !document.querySelector('#consent').hidden);

scene('before the notice is accepted nothing reaches the bot, and the typed line is sent after', async (stage, page) => {
  await untilTrue(page, 'the notice', () => !document.querySelector('#consent').hidden);
  const link = await page.$eval('#consent a', ({ href, textContent }) => [href, textContent]);
  assert.deepEqual(link, ['https://shop.example/privacy', 'our privacy notice (shop.example)']);
  assert.equal(await page.$eval('#consent', (it) => it.querySelectorAll('b').length), 0, 'the text is a text');
  await say(page, 'buttons');
  await untilShown(page, 'Waits until you agree');
  assert.ok(!stage.gateway.events.some((it) => it.text === 'buttons'));
  await press(page, 'Agree and continue');
  await untilShown(page, 'Pick one');
  assert.equal(await isDue(page), false);
  await untilCount(page, 'buttons');
  await press(page, 'Talk to a human');
  const { agreed } = await stage.desk.until('the page', (it) => it.event === 'page');
  assert.ok(Math.abs(Date.parse(agreed) - Date.now()) < 60_000, agreed);
  await stage.gateway.kill();
  await stage.openGateway();
  await page.evaluate(() => localStorage.removeItem('handoff.agreed'));
  await page.reload();
  await untilShown(page, 'Pick one');
  assert.equal(await isDue(page), false, 'the gateway knows it');
}, { web: ['--notice', TEXT] });

scene('a shop can ask for its own notice, and the widget keeps the line that was typed', async (stage, page) => {
  stage.shop.attributes = 'async data-notice="Do you agree?"';
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await untilTrue(chat, 'the notice', () => document.querySelector('#notice-text').textContent === 'Do you agree?');
  await say(chat, 'buttons');
  await untilShown(chat, 'Waits until you agree');
  await page.reload();
  const again = await untilPanel(page);
  await untilShown(again, 'Waits until you agree');
  await press(again, 'Agree and continue');
  await untilShown(again, 'Pick one');
  await untilCount(again, 'buttons');
}, { shop: 'localhost' });
