// Makes pictures of the chat in each size and colour scheme, and on a shop's page; three of them are
// in the README:
//
//     HANDOFF=target/debug/handoff node tests/browser/screenshots.mjs FOLDER

import { join } from 'node:path';

import { Stage, press, say, untilShown, untilStatus } from './support.mjs';
import { openPanel } from './widget.mjs';

const SIZES = {
  phone: { width: 390, height: 780, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  desktop: { width: 1000, height: 640, deviceScaleFactor: 1 },
};

const folder = process.argv[2];
const stage = await Stage.start({ shop: 'localhost' });
try {
  const page = await stage.open();
  await page.setViewport(SIZES.desktop);
  await say(page, 'Hello!');
  await untilShown(page, 'I am the demo bot');
  await say(page, 'buttons');
  await press(page, 'Yes');
  await say(page, 'I want to talk to a human');
  await untilStatus(page, 'Waiting for a human');
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'Robin');
  stage.desk.say('Good morning, I am Robin. What can I do for you? 👋');
  await untilShown(page, 'Good morning');
  await say(page, 'My parcel 4711 has not arrived yet.');
  await stage.desk.untilText('My parcel 4711 has not arrived yet.');
  stage.desk.say('Let me look. It is at the depot: https://parcels.example/4711');
  await untilShown(page, 'parcels.example');
  for (const [name, size] of Object.entries(SIZES)) {
    for (const scheme of ['light', 'dark']) {
      await page.setViewport(size);
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.screenshot({ path: join(folder, `chat-${name}-${scheme}.png`) });
    }
  }
  stage.shop.pages['/'] = {
    head: '<style>body { margin: 3rem; font: 1.125rem/1.6 system-ui, sans-serif }</style>',
  };
  const shop = await stage.visit();
  await shop.setViewport({ ...SIZES.desktop, height: 720 });
  const panel = await openPanel(shop);
  await say(panel, 'Hello!');
  await untilShown(panel, 'I am the demo bot');
  await say(panel, 'I want to talk to a human');
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(panel, 'Robin');
  stage.desk.say('/switch 2');
  stage.desk.say('I see that you are looking at our goods. May I help?');
  await untilShown(panel, 'May I help?');
  await shop.screenshot({ path: join(folder, 'widget.png') });
} finally {
  await stage.end();
}
