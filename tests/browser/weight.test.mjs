// What the widget costs a shop's page: storage, bytes, tasks, and the time of `load`.

import assert from 'node:assert/strict';

import { handOver, scene, untilShown } from './support.mjs';
import { openPanel, untilButton, untilPanel } from './widget.mjs';

const SHOP = { shop: 'localhost' };

/** What a page of the shop keeps, for itself. */
const keeps = (page) => page.evaluate(() =>
  [document.cookie, { ...localStorage }, { ...sessionStorage }, document.querySelectorAll('iframe').length]);

/** The bytes of a file as it is sent to a browser. The shop's page itself may not know them. */
async function sizeOf(stage, name) {
  const answer = await fetch(`${stage.origin}/${name}`, { headers: { 'accept-encoding': 'gzip, deflate, br' } });
  assert.equal(answer.headers.get('content-encoding'), 'br');
  return Number(answer.headers.get('content-length'));
}

scene('before the first press nothing is kept and nothing is loaded but the script', async (stage, page, context) => {
  await page.goto(stage.shop.origin);
  await untilButton(page);
  await page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)));
  assert.deepEqual(page.requests, ['GET /', 'GET /widget.js']);
  assert.deepEqual(await keeps(page), ['', {}, {}, 0]);
  assert.equal(await page.evaluate(() =>
    document.querySelector('handoff-chat').shadowRoot.querySelectorAll('iframe').length), 0);
  const bytes = await sizeOf(stage, 'widget.js');
  context.diagnostic(`${bytes} bytes before the first press`);
  assert.ok(bytes <= 2_400);
  assert.deepEqual(await stage.browser.cookies(), []);
}, SHOP);

/** What a frame has loaded of the chat: of each file the name, its bytes as they were sent, and those of this time. */
const loaded = (frame) => frame.evaluate(() =>
  [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .map(({ name, encodedBodySize, transferSize }) => [new URL(name).pathname, encodedBodySize, transferSize])
    .filter(([path]) => !path.startsWith('/api/'))
    .map(([path, ...bytes]) => [path.split('/').at(-1), ...bytes]));

scene('the first press loads five small files, and the next page one of them', async (stage, page, context) => {
  const refused = [];
  page.on('response', (answer) => answer.status() < 400 || refused.push(answer.url()));
  await page.goto(stage.shop.origin);
  let chat = await openPanel(page);
  await handOver(stage, chat);
  stage.desk.say('Here I am: https://example.com/');
  await untilShown(chat, 'Here I am');
  const outside = page.requests.filter((it) => it.endsWith('.js') && !it.includes('/assets/'));
  assert.deepEqual(outside, ['GET /widget.js', 'GET /panel.js']);
  const files = await loaded(chat);
  assert.deepEqual(files.map(([name]) => name).sort(), ['chat.js', 'frame', 'page.css', 'words.en.js']);
  const bytes = files.reduce((sum, [, more]) => sum + more, await sizeOf(stage, 'panel.js'));
  context.diagnostic(`${bytes} bytes after the first press: ${files.map(([name, size]) => `${name} ${size}`).join(', ')}`);
  assert.ok(bytes <= 25_500);
  await page.goto(`${stage.shop.origin}/other`);
  chat = await untilPanel(page);
  const again = (await loaded(chat)).filter(([, , sent]) => sent > 0);
  assert.deepEqual(again.map(([name]) => name), ['frame']);
  assert.deepEqual(refused, [], 'the customer\'s browser has no error to show');
}, SHOP);

/** The page runs four times slower from now on. */
async function slowDown(page) {
  const session = await page.createCDPSession();
  await session.send('Emulation.setCPUThrottlingRate', { rate: 4 });
}

scene('no page is shifted, and no task is long on a processor four times slower', async (stage, page) => {
  await page.evaluateOnNewDocument(() => {
    window.shifts = 0;
    window.longest = 0;
    new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => { window.shifts += value; }))
      .observe({ type: 'layout-shift', buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => {
      window.longest = Math.max(window.longest, duration);
    })).observe({ type: 'longtask', buffered: true });
  });
  await slowDown(page);
  // Other work of the machine can only make tasks longer.
  const measured = [];
  for (let round = 0; round < 5 && measured.at(-1)?.join() !== '0,0'; round += 1) {
    await page.goto(stage.shop.origin);
    await untilButton(page);
    measured.push(await page.evaluate(() => [window.shifts, window.longest]));
  }
  assert.deepEqual(measured.at(-1), [0, 0], `shifts and the longest task of each round: ${measured}`);
  const chat = await openPanel(page);
  await handOver(stage, chat);
  await page.evaluate(() => window.handoff.close());
  assert.equal(await page.evaluate(() => window.shifts), 0, 'nor does the panel shift anything');
}, SHOP);

/** The milliseconds from the beginning of a load to the page's event `load`. */
async function loadTime(page, url) {
  await page.goto(url);
  return page.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventStart);
}

/** The middle of several times, and the distance between their quartiles. */
function summary(times) {
  times.sort((one, other) => one - other);
  const [low, middle, high] = [1, 2, 3].map((part) => times[Math.floor((times.length * part) / 4)]);
  return { middle, spread: high - low };
}

/** The milliseconds to `load` of these pages, each loaded 15 times in turns. */
async function loadTimes(page, urls) {
  const times = urls.map(() => []);
  for (let load = 0; load < 15; load += 1) {
    for (const [at, url] of urls.entries()) {
      times[at].push(await loadTime(page, url));
    }
  }
  return times.map(summary);
}

// Like any script, the widget's costs the time to fetch it and the time to run it. On the page
// /twice the script finds a widget already and does nothing, so only the fetching counts there.
scene('the event `load` of a page is not delayed by what the script does', async (stage, page, context) => {
  stage.shop.pages = { '/bare': { line: '' }, '/twice': { head: '<script>window.handoff = {}</script>' } };
  const urls = ['/bare', '/twice', '/'].map((path) => stage.shop.origin + path);
  await page.setCacheEnabled(false);
  // Other programs may be running, so no single load and no single round is enough.
  let isLate = true;
  for (let round = 0; round < 3 && isLate; round += 1) {
    const [bare, twice, whole] = await loadTimes(page, urls);
    isLate = whole.middle - twice.middle > Math.max(10, twice.spread) || whole.middle - bare.middle > Math.max(40, bare.spread);
    const [one, two, three] = [bare, twice, whole].map(({ middle, spread }) => `${middle.toFixed(1)} ms (± ${(spread / 2).toFixed(1)})`);
    context.diagnostic(`load: ${one} without the line, ${two} with it where it does nothing, ${three} with the widget`);
  }
  assert.ok(!isLate, 'it came late in each round');
}, SHOP);
