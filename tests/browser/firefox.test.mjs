// The main path in Firefox.

import { sameEverywhere } from './lines.mjs';
import { handOver, say, scene, untilShown, untilStatus, untilTrue } from './support.mjs';

const ASK = 'I want to talk to a human';

scene('a handoff with a reload in its midst works in Firefox', async (stage, page) => {
  await handOver(stage, page);
  stage.desk.say('Hello 👋');
  await untilShown(page, 'Hello 👋');
  await say(page, 'from Firefox');
  await stage.desk.untilText('from Firefox');
  await page.keyboard.type('a draft');
  await page.reload();
  await untilShown(page, 'from Firefox');
  await untilTrue(page, 'the draft', () => document.querySelector('textarea').value === 'a draft');
  await say(page, ' that stays');
  await stage.desk.untilText('a draft that stays');
  await stage.gateway.kill();
  await say(page, 'into the dark');
  stage.desk.say('out of the dark');
  await stage.openGateway();
  await stage.desk.untilText('into the dark');
  await untilShown(page, 'out of the dark');
  await sameEverywhere(stage, page, {
    user: [ASK, 'from Firefox', 'a draft that stays', 'into the dark'],
    admin: ['Hello 👋', 'out of the dark'],
  });
  stage.desk.say('/handback');
  await untilStatus(page, 'The bot answers here');
}, { browser: 'firefox' });
