// What the page says when it cannot reach the gateway, or when the gateway refuses a request: no
// failure is silent, and a short break is not called a loss.

import assert from 'node:assert/strict';

import { sameEverywhere } from './lines.mjs';
import { enter, handOver, inTime, press, say, scene, untilCount, untilShown, untilTrue } from './support.mjs';

const ASK = 'I want to talk to a human';
/** A connection is called lost after this many milliseconds without a stream. */
const LOST = 5_000;

/** Collects what the bar above the input says, and when. It runs before the page's own scripts. */
function collectNotices() {
  window.notices = [];
  document.addEventListener('readystatechange', () => {
    if (document.readyState === 'interactive') {
      const notice = document.getElementById('notice');
      new MutationObserver(() => window.notices.push({ text: notice.textContent, at: Date.now() }))
        .observe(notice, { childList: true, characterData: true, subtree: true });
    }
  });
}

const noticesOf = (page) => page.evaluate(() => window.notices);
const isNoticed = (page, text) => untilTrue(page, `the notice: ${text}`, (wanted) =>
  document.querySelector('#notice').textContent.startsWith(wanted), text);
const untilStream = (stage, streams) => inTime(
  stage.proxy.until(() => stage.proxy.count('GET') > streams && stage.proxy.streams.size === 1), 'a stream');

scene('a stream that is cut, or dies while the machine sleeps, is not called lost', async (stage, page) => {
  await handOver(stage, page);
  let streams = stage.proxy.count('GET');
  stage.proxy.cutStreams();
  await untilStream(stage, streams);
  stage.desk.say('after a cut');
  await untilCount(page, 'after a cut');
  const session = await page.createCDPSession();
  await session.send('Page.setWebLifecycleState', { state: 'frozen' });
  streams = stage.proxy.count('GET');
  stage.proxy.cutStreams();
  stage.desk.say('after a sleep');
  await stage.gateway.untilText('after a sleep');
  await session.send('Page.setWebLifecycleState', { state: 'active' });
  await untilStream(stage, streams);
  await untilCount(page, 'after a sleep');
  assert.deepEqual((await noticesOf(page)).filter(({ text }) => /lost|again/.test(text)), []);
}, { proxy: true, prepare: collectNotices });

scene('a connection is called lost after 5 s, and no longer once bytes come', async (stage, page) => {
  await handOver(stage, page);
  stage.proxy.mode = 'refuse';
  stage.proxy.cutStreams();
  const cutAt = Date.now();
  await isNoticed(page, 'Connection lost. Trying again…');
  const lost = (await noticesOf(page)).find(({ text }) => text.startsWith('Connection lost'));
  assert.ok(lost.at - cutAt >= LOST - 50, `it was called lost after ${lost.at - cutAt} ms`);
  stage.proxy.mode = 'pass';
  await inTime(stage.proxy.until(() => stage.proxy.streams.size === 1), 'a stream');
  const backAt = Date.now();
  await isNoticed(page, 'Connected again.');
  const back = (await noticesOf(page)).find(({ text }) => text === 'Connected again.');
  assert.ok(back.at - backAt < 1_000, `the notice went after ${back.at - backAt} ms`);
}, { proxy: true, prepare: collectNotices });

scene('a page that is loaded again says that it cannot catch up, until it can', async (stage, page) => {
  await handOver(stage, page);
  stage.proxy.gone = '/api/stream';
  await page.reload();
  await isNoticed(page, 'Connection lost. Trying again…');
  stage.desk.say('while you were away');
  await stage.gateway.untilText('while you were away');
  stage.proxy.gone = null;
  await untilCount(page, 'while you were away');
  await untilTrue(page, 'no such notice', () => !document.querySelector('#notice').textContent.startsWith('Connection lost'));
}, { proxy: true });

scene('earlier messages that cannot be loaded are called so, and a press tries again', async (stage, page) => {
  await handOver(stage, page);
  const last = 110;
  for (let count = 1; count <= last; count += 1) {
    stage.desk.say(`line ${count}`);
  }
  await untilCount(page, `line ${last}`);
  await page.reload();
  await untilCount(page, `line ${last}`);
  await untilCount(page, 'line 1', 0);
  stage.proxy.gone = '/api/entries';
  await page.$eval('#earlier', (button) => button.click());
  await untilTrue(page, 'the failure', () =>
    document.querySelector('#earlier').innerText === 'Earlier messages could not be loaded. Try again');
  stage.proxy.gone = null;
  await page.$eval('#earlier', (button) => button.click());
  await untilCount(page, 'line 1');
  await untilCount(page, ASK);
  assert.equal(await page.$eval('#earlier', (button) => button.hidden), true);
}, { proxy: true });

scene('a chat that cannot be started says so, and the line that was typed goes when it can', async (stage, page) => {
  stage.proxy.gone = '/api/begin';
  await say(page, 'buttons');
  await isNoticed(page, 'The chat cannot be started at the moment.');
  await untilShown(page, 'buttons');
  stage.proxy.gone = null;
  await press(page, 'Try again');
  await untilShown(page, 'Pick one');
  await untilCount(page, 'buttons');
}, { proxy: true });

scene('a line for a conversation that has ended stays, and goes into a new one at a press', async (stage, page) => {
  await handOver(stage, page);
  // The page does not hear of the end for some seconds, as on a slow line.
  stage.proxy.mode = 'buffer';
  stage.proxy.cutStreams();
  stage.desk.say('/close');
  await stage.gateway.until('the end', (it) => it.state === 'closed');
  await say(page, 'hello once more');
  await untilShown(page, 'Not sent: the conversation had ended.');
  await untilShown(page, 'hello once more');
  await press(page, 'Send in a new conversation');
  await untilShown(page, 'New conversation');
  await untilShown(page, 'I am the demo bot');
  await untilCount(page, 'hello once more');
}, { proxy: true });

scene('lines that come too fast wait with the reason, and leave in their order', async (stage, page) => {
  await handOver(stage, page);
  await enter(page);
  const lines = Array.from({ length: 16 }, (_, at) => `quick ${at}`);
  for (const line of lines) {
    await page.keyboard.sendCharacter(line);
    await page.keyboard.press('Enter');
  }
  await untilShown(page, 'That was very fast. It is sent again soon.');
  await stage.desk.untilText(lines.at(-1));
  await sameEverywhere(stage, page, { user: [ASK, ...lines] });
}, { rate: 1 });
