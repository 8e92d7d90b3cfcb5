// Every state of the page: axe finds no fault in it, and nothing is wider than the window.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import {
  handOver, press, say, scene, untilCount, untilShown, untilStatus, untilTrue,
} from './support.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Width in CSS pixels (320 is also a window of 640 at 200 %), scheme and forced colours. */
const LOOKS = [
  [320, 'light', 'none'], [1280, 'dark', 'none'], [390, 'dark', 'active'],
];

/** Checks the page as it is now, in every look. */
async function check(page, state) {
  const session = await page.createCDPSession();
  for (const [width, scheme, forced] of LOOKS) {
    const look = `${state} at ${width} px, ${scheme}, forced colours ${forced}`;
    await page.setViewport({ width, height: 800 });
    await session.send('Emulation.setEmulatedMedia', {
      features: [
        { name: 'prefers-color-scheme', value: scheme },
        { name: 'forced-colors', value: forced },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ],
    });
    const overflow = await page.evaluate(() =>
      [document.documentElement, document.querySelector('#scroller')]
        .map((it) => it.scrollWidth - it.clientWidth));
    assert.deepEqual(overflow, [0, 0], `${look}: wider than the window`);
    // The page's policy allows no foreign script: this one comes from the debugger.
    await session.send('Runtime.evaluate', { expression: AXE });
    const { result } = await session.send('Runtime.evaluate', {
      expression: `axe.run().then(({ violations }) => JSON.stringify(violations.map(
        ({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])])))`,
      awaitPromise: true,
      returnByValue: true,
    });
    assert.equal(result.value, '[]', look);
  }
  await session.detach();
}

scene('axe finds nothing in any state of a conversation', async (stage, page) => {
  await check(page, 'new');
  await say(page, 'buttons');
  await untilShown(page, 'Pick one');
  await check(page, 'a menu of the bot');
  await press(page, 'Yes');
  await untilShown(page, 'You said yes.');
  await say(page, 'a picture');
  await untilShown(page, 'Image at example.invalid');
  await say(page, 'a card');
  await untilTrue(page, 'a custom payload', () => document.querySelector('details.custom'));
  await check(page, 'what a bot may send');
  await press(page, 'More');
  await check(page, 'the menu of the page');
  await page.keyboard.press('Escape');
  await say(page, 'I want to talk to a human');
  await untilStatus(page, 'position 1');
  await check(page, 'queued');
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'Robin is here');
  stage.desk.say('Hello');
  await untilShown(page, 'Hello');
  await check(page, 'an agent');
  await press(page, 'End');
  await untilTrue(page, 'the question', () => document.activeElement.id === 'stay');
  await check(page, 'the question before the end');
  await press(page, 'End');
  await stage.desk.untilState('closed');
  await untilStatus(page, 'Closed');
  await check(page, 'closed');
});

scene('axe finds nothing when bot, desk or gateway are gone', async (stage, page) => {
  await say(page, 'hello');
  await untilShown(page, 'I am the demo bot');
  await stage.bot.kill();
  await say(page, 'are you there?');
  await untilTrue(page, 'the failed bot', () =>
    document.querySelector('#human').classList.contains('wanted'));
  await check(page, 'a bot that failed');
  await press(page, 'Talk to a human');
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'Robin is here');
  await stage.desk.kill();
  await untilTrue(page, 'the lost desk', () =>
    document.querySelector('#notice').innerText !== '');
  await check(page, 'a desk that is gone');
  await stage.gateway.kill();
  await say(page, 'hello?');
  await untilTrue(page, 'the lost connection', () =>
    document.querySelector('#notice').dataset.kind === 'bad');
  await check(page, 'a gateway that is gone');
});

scene('long words, other scripts and both directions stay within the window', async (stage, page) => {
  await handOver(stage, page);
  const texts = [
    'W'.repeat(8_192), '日本語のテキスト、とても長い文。'.repeat(40), 'שלום, איפה החבילה שלי?',
    'مرحبا https://shop.example/a/very/long/path?with=a&query=that&goes=on mixed',
    '👩‍👩‍👧‍👦🏳️‍🌈 emoji', 'a\u202Eb',
  ];
  for (const text of texts) {
    stage.desk.say(text);
    await untilCount(page, text);
  }
  await check(page, 'long and foreign texts');
  const directions = await page.$$eval('[data-author=admin] .bubble', (bubbles) =>
    bubbles.map((it) => getComputedStyle(it).direction));
  assert.deepEqual(directions, ['ltr', 'ltr', 'rtl', 'rtl', 'ltr', 'ltr']);
  await page.locator('::-p-aria([name="Message"][role="textbox"])').click();
  // Enters the text in one piece, like a paste.
  await page.keyboard.sendCharacter('x'.repeat(10_240));
  await page.keyboard.press('Enter');
  await untilTrue(page, 'the reason', () => document.querySelector('#limit').innerText !== '');
  await check(page, 'a line that is too long');
  assert.equal(await page.$eval('textarea', ({ value }) => value.length), 10_240);
});
