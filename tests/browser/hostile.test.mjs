// What a hostile bot, agent or customer sends stays text: no dialog, no request, and nothing but
// what the page itself makes of messages. A control page, which has no policy and puts texts into
// innerHTML, fails the same checks.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { frameOf, strangeIn, TEXTS } from './attacks.mjs';
import { handOver, inTime, say, scene, untilShown, untilTrue } from './support.mjs';

const URLS = [
  'javascript:alert(1)', 'JaVaScRiPt:alert(1)', ' javascript:alert(1)', 'java\nscript:alert(1)',
  'data:text/html,<script>alert(1)</script>', 'vbscript:msgbox(1)', 'file:///etc/passwd',
  'blob:https://a.example/1', '//evil.example', 'https://evil.example/"onclick="alert(1)',
];

/** What a hostile bot answers to `attack N`. */
function replies(n) {
  const text = TEXTS[n % TEXTS.length];
  const url = URLS[n % URLS.length];
  return [
    { text },
    {
      text: 'choose',
      buttons: [
        { title: text, payload: text },
        { title: `link ${text}`, type: 'web_url', url },
      ],
      quick_replies: [{ title: text, payload: url }],
    },
    { image: url },
    { custom: { [text]: text, html: text, url, __proto__: { polluted: text } } },
    { attachment: { type: 'image', payload: { src: url, title: text } } },
  ];
}

/** A bot that attacks, and answers a browser with the control page. */
async function hostileBot() {
  const server = createServer(async (request, answer) => {
    if (request.method === 'GET') {
      answer.writeHead(200, { 'content-type': 'text/html' });
      answer.end('<!doctype html><div id=announcer></div><div role=log></div>');
      return;
    }
    const { sender, message } = JSON.parse(Buffer.concat(await request.toArray()));
    const attack = /^attack (\d+)$/.exec(message);
    const said = message.includes('human') ? [{ text: 'Human Handoff' }] : [{ text: 'hm' }];
    const messages = attack ? replies(Number(attack[1])) : said;
    answer.writeHead(200, { 'content-type': 'application/json' });
    answer.end(JSON.stringify(messages.map((it) => ({ recipient_id: sender, ...it }))));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const server = await hostileBot();
test.after(() => server.close());
const bot = `http://127.0.0.1:${server.address().port}`;

scene('nothing that a bot sends becomes more than the page makes of it', async (stage, page) => {
  const frame = await frameOf(page);
  for (let n = 0; n < TEXTS.length; n += 1) {
    await say(page, `attack ${n}`);
    await untilTrue(page, `the answer to attack ${n}`, (count) =>
      document.querySelectorAll('[role=log] [data-author=bot]').length >= count, (n + 1) * 4);
  }
  assert.deepEqual(await strangeIn(page), []);
  assert.deepEqual(await frameOf(page), frame);
  assert.equal(await page.evaluate(() => ({}).polluted), undefined);
  for (const choice of await page.$$('[role=log] button:not([disabled])')) {
    await choice.click();
  }
  await page.reload();
  await untilShown(page, `attack ${TEXTS.length - 1}`);
  assert.deepEqual(await strangeIn(page), []);
}, { bot });

scene('nothing that people say becomes more than text', async (stage, page) => {
  await handOver(stage, page);
  const frame = await frameOf(page);
  for (const text of TEXTS) {
    await say(page, text);
    const line = text.trim();
    await stage.desk.untilText(line);
    stage.desk.say(`> ${text.replaceAll('\n', ' ')}`);
  }
  stage.desk.say('that was all');
  await untilShown(page, 'that was all');
  assert.deepEqual(await strangeIn(page), []);
  assert.deepEqual(await frameOf(page), frame);
}, { bot, agent: '<img src=x onerror=alert(1)>' });

scene('a page without a policy that trusts texts fails these checks', async (stage) => {
  const control = await stage.browser.newPage();
  await control.goto(bot);
  const dialog = new Promise((resolve) => {
    // A dialog that is open when the browser ends can no longer be dismissed: this error is ignored.
    control.on('dialog', (it) => it.dismiss().then(resolve, () => {}));
  });
  const request = new Promise((resolve) => {
    control.on('request', (it) => it.url().includes('evil.example') && resolve());
  });
  await control.evaluate((texts) => {
    for (const text of texts) {
      const line = document.createElement('p');
      document.querySelector('[role=log]').append(line);
      line.innerHTML = text;
    }
  }, TEXTS.filter((text) => !text.includes('http-equiv')));
  await inTime(Promise.all([dialog, request]), 'a dialog and a request');
  assert.ok((await strangeIn(control)).length > TEXTS.length / 2);
}, { bot });
