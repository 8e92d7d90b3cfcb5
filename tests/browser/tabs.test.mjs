// Many tabs of one browser: each shows every line, and they share what the browser has.

import assert from 'node:assert/strict';

import { handOver, inTime, say, scene, untilCount, untilShown, untilTrue } from './support.mjs';

/** More tabs than a browser has connections for a host. */
const MANY = 12;
/** More tabs than a customer may have streams. */
const CROWD = 8;

/** Opens further tabs, and waits until each of them shows the conversation. */
async function openTabs(stage, count, shown) {
  const tabs = [];
  for (let at = 0; at < count; at += 1) {
    tabs.push(await stage.open());
  }
  await Promise.all(tabs.map((tab) => untilShown(tab, shown)));
  return tabs;
}

scene('twelve tabs share one stream, and a request of the last one does not wait', async (stage, page) => {
  await handOver(stage, page);
  const tabs = [page, ...await openTabs(stage, MANY - 1, 'a human')];
  const last = tabs[MANY - 1];
  await say(last, 'from the last tab');
  await stage.desk.untilText('from the last tab');
  stage.desk.say('to all of you');
  for (const text of ['from the last tab', 'to all of you']) {
    await Promise.all(tabs.map((tab) => untilCount(tab, text)));
  }
  await inTime(stage.proxy.until(() => stage.proxy.streams.size === 1), 'one stream');
}, { proxy: true });

scene('a frozen tab that reads for all is replaced', async (stage, page) => {
  await handOver(stage, page);
  const other = await stage.open();
  await untilShown(other, 'a human');
  const leader = await page.createCDPSession();
  await leader.send('Page.setWebLifecycleState', { state: 'frozen' });
  const since = Date.now();
  stage.desk.say('is anybody awake?');
  await untilCount(other, 'is anybody awake?');
  const took = Date.now() - since;
  assert.ok(took < 25_000, `the other tab showed it after ${took} ms`);
  await leader.send('Page.setWebLifecycleState', { state: 'active' });
  await untilCount(page, 'is anybody awake?');
}, { proxy: true });

scene('without Web Locks more tabs than streams show every line, and do not storm', async (stage, page) => {
  await handOver(stage, page);
  const tabs = await openTabs(stage, CROWD, 'a human');
  const since = [Date.now(), stage.proxy.count('GET')];
  for (const count of [1, 2, 3]) {
    stage.desk.say(`line ${count}`);
    await Promise.all([page, ...tabs].map((tab) => untilCount(tab, `line ${count}`)));
  }
  const streams = stage.proxy.count('GET') - since[1];
  assert.ok(streams <= 1 + (Date.now() - since[0]) / 1000, `${streams} new streams`);
  assert.ok(stage.proxy.streams.size <= 4, 'no more streams than a customer may have');
  await untilTrue(page, 'no locks', () => navigator.locks === undefined);
}, { proxy: true, prepare: () => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }) });
