// What a customer sees in a real browser, with a real bot, desk and gateway behind the page.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { Stage, press, say, untilCount, untilShown, untilStatus } from './support.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Runs a test on a stage of its own. */
function scene(name, play) {
  test(name, { timeout: 120_000 }, async () => {
    const stage = await Stage.start();
    try {
      const page = await stage.open();
      await play(stage, page);
      assert.deepEqual(page.faults, []);
    } catch (error) {
      console.error(stage.report());
      throw error;
    } finally {
      await stage.end();
    }
  });
}

/** Asks for a human, who takes the customer. */
async function handOver(stage, page) {
  await say(page, 'I want to talk to a human');
  await untilStatus(page, 'Waiting for a human');
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'Robin');
}

scene('a customer talks to the bot, to an agent, and to the bot again', async (stage, page) => {
  await say(page, 'buttons');
  await press(page, 'Yes');
  await untilShown(page, 'Yes');
  await handOver(stage, page);
  stage.desk.say('What can I do? 👋');
  await untilShown(page, 'What can I do? 👋');
  await stage.desk.until('seen', (it) => it.event === 'seen');
  await say(page, 'Nothing,\nI only say hi');
  await stage.desk.until('the line', (it) => it.text === 'Nothing,\nI only say hi');
  stage.desk.say('/handback');
  await stage.gateway.until('the handback', (it) => it.reason === 'handed_back');
  await untilStatus(page, 'bot');
  await say(page, 'hello again');
  await untilShown(page, 'I am the demo bot');
  await press(page, 'End');
  await untilStatus(page, 'Closed');
  await say(page, 'one more thing');
  await untilShown(page, 'one more thing');
  await untilCount(page, 'one more thing');
  await untilCount(page, 'What can I do? 👋');
});

scene('a reload and a killed gateway lose and double nothing', async (stage, page) => {
  await handOver(stage, page);
  await say(page, 'before');
  await stage.desk.untilText('before');
  await page.reload();
  await untilShown(page, 'before');
  await stage.gateway.kill();
  await say(page, 'while it is down');
  stage.desk.say('meanwhile');
  await stage.openGateway();
  await stage.desk.untilText('while it is down');
  await untilShown(page, 'meanwhile');
  await say(page, 'after');
  await stage.desk.untilText('after');
  for (const text of ['before', 'while it is down', 'meanwhile', 'after']) {
    await untilCount(page, text);
  }
  const said = stage.desk.events.filter((it) => it.event === 'message' && it.author === 'user');
  const texts = said.filter((it) => !it.history).map((it) => it.text);
  assert.deepEqual(texts.slice(-3), ['before', 'while it is down', 'after']);
});

scene('a line typed offline leaves once when the page is online again', async (stage, page) => {
  await handOver(stage, page);
  await page.setOfflineMode(true);
  await say(page, 'from the tunnel');
  await page.setOfflineMode(false);
  await stage.desk.untilText('from the tunnel');
  await page.reload();
  await untilShown(page, 'from the tunnel');
  await untilCount(page, 'from the tunnel');
});

scene('two tabs show one conversation', async (stage, page) => {
  await handOver(stage, page);
  const other = await stage.open();
  await untilShown(other, 'I want to talk to a human');
  await say(other, 'from the other tab');
  await untilShown(page, 'from the other tab');
  await page.close();
  stage.desk.say('still there?');
  await untilShown(other, 'still there?');
  assert.deepEqual(other.faults, []);
});

scene('a page that is only looked at keeps nothing and asks nothing', async (stage, page) => {
  assert.deepEqual(await stage.browser.cookies(), []);
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
  await say(page, 'hello');
  await untilShown(page, 'I am the demo bot');
  const [cookie] = await stage.browser.cookies();
  assert.equal(cookie.httpOnly, true);
  assert.equal(await page.evaluate(() => document.cookie), '');
});

const PAYLOADS = [
  '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '"><svg onload=alert(1)>',
  'javascript:alert(1)', '[x](javascript:alert(1))', '<iframe src=//evil.example></iframe>',
  '<a href="//evil.example">x</a>', '{{7*7}}', '<b>bold</b>', '&lt;script&gt;',
  '<style>*{display:none}</style>', '<meta http-equiv=refresh content=0>', "';alert(1)//",
  '<math><mtext></form><form><mglyph><svg><mtext><textarea><a title="</textarea><img src onerror=alert(1)>">',
  '![x](https://evil.example/x.png)', 'data:text/html,<script>alert(1)</script>', '<base href=//evil.example>',
];

scene('no text of a peer becomes anything but text', async (stage, page) => {
  await handOver(stage, page);
  for (const payload of PAYLOADS) {
    await say(page, payload);
    await stage.desk.untilText(payload);
    stage.desk.say(`you said ${payload}`);
    await untilShown(page, payload.slice(0, 12));
  }
  const strange = await page.$$eval('[role=log] *', (nodes) => nodes
    .filter((it) => ['SCRIPT', 'IFRAME', 'STYLE', 'META', 'BASE', 'FORM', 'OBJECT'].includes(it.tagName)
      || [...it.attributes].some(({ name, value }) =>
        name.startsWith('on') || /^\s*(javascript|data):/i.test(value)))
    .map((it) => it.outerHTML));
  assert.deepEqual(strange, []);
});

scene('axe finds nothing to mend in any state, on a phone and on a desk', async (stage, page) => {
  const check = async (state) => {
    for (const [width, scheme] of [[320, 'light'], [1280, 'dark']]) {
      await page.setViewport({ width, height: 800 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      // The page's policy allows no foreign script: this one comes from the debugger.
      const session = await page.createCDPSession();
      await session.send('Runtime.evaluate', { expression: AXE });
      const { result } = await session.send('Runtime.evaluate', {
        expression: `axe.run().then(({ violations }) => JSON.stringify(violations.map(
          ({ id, nodes }) => [id, nodes.map(({ html }) => html)])))`,
        awaitPromise: true,
        returnByValue: true,
      });
      assert.equal(result.value, '[]', `${state} at ${width} px, ${scheme}`);
    }
  };
  await check('new');
  await say(page, 'buttons');
  await untilShown(page, 'Pick one');
  await check('a menu');
  await handOver(stage, page);
  stage.desk.say('Hello');
  await untilShown(page, 'Hello');
  await check('an agent');
  await press(page, 'End');
  await stage.desk.untilState('closed');
  await check('closed');
});
