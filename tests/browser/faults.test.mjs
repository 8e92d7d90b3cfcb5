// Failures between page and gateway. After each of them every line is there once and in order.

import assert from 'node:assert/strict';

import { sameEverywhere } from './lines.mjs';
import { handOver, inTime, press, say, scene, untilShown, untilStatus, untilTrue } from './support.mjs';

const ASK = 'I want to talk to a human';

scene('every line of two handoffs is there once and in order', async (stage, page) => {
  await say(page, 'buttons');
  await press(page, 'Yes');
  await untilShown(page, 'You said yes.');
  await handOver(stage, page);
  stage.desk.say('What can I do?');
  await untilShown(page, 'What can I do?');
  await say(page, 'Nothing');
  await stage.desk.untilText('Nothing');
  stage.desk.say('/handback');
  await untilStatus(page, 'The bot answers here');
  await handOver(stage, page);
  await say(page, 'me again');
  await stage.desk.untilText('me again');
  stage.desk.say('welcome back');
  await untilShown(page, 'welcome back');
  await sameEverywhere(stage, page, {
    user: ['buttons', 'Yes', ASK, 'Nothing', ASK, 'me again'],
    admin: ['What can I do?', 'welcome back'],
  });
  stage.desk.say('/close');
  await untilStatus(page, 'Closed. Robin ended this conversation.');
  await say(page, 'hello once more');
  await untilShown(page, 'New conversation');
  await untilShown(page, 'I am the demo bot');
  await untilStatus(page, 'The bot answers here');
  await sameEverywhere(stage, page, {
    user: ['buttons', 'Yes', ASK, 'Nothing', ASK, 'me again', 'hello once more'],
    admin: ['What can I do?', 'welcome back'],
  });
});

scene('a draft and the conversation survive a reload in mid-chat', async (stage, page) => {
  await handOver(stage, page);
  await say(page, 'before');
  await stage.desk.untilText('before');
  await page.keyboard.type('half a sen');
  await page.reload();
  await untilShown(page, 'before');
  await untilTrue(page, 'the draft', () =>
    document.querySelector('textarea').value === 'half a sen');
  await say(page, 'tence');
  await stage.desk.untilText('half a sentence');
  await sameEverywhere(stage, page, { user: [ASK, 'before', 'half a sentence'] });
});

scene('a gateway killed in mid-chat loses and doubles no line', async (stage, page) => {
  await handOver(stage, page);
  await say(page, 'before');
  await stage.desk.untilText('before');
  await stage.gateway.kill();
  for (const text of ['one', 'two', 'three']) {
    await say(page, text);
  }
  stage.desk.say('meanwhile');
  await stage.openGateway();
  await stage.desk.untilText('three');
  await untilShown(page, 'meanwhile');
  await say(page, 'after');
  await stage.desk.untilText('after');
  await sameEverywhere(stage, page, {
    user: [ASK, 'before', 'one', 'two', 'three', 'after'],
    admin: ['meanwhile'],
  });
});

scene('a line typed offline waits visibly and leaves once', async (stage, page) => {
  await handOver(stage, page);
  await page.setOfflineMode(true);
  await say(page, 'from the tunnel');
  await untilShown(page, 'Waits for the connection');
  stage.desk.say('are you there?');
  await page.setOfflineMode(false);
  await stage.desk.untilText('from the tunnel');
  await untilShown(page, 'are you there?');
  await sameEverywhere(stage, page, {
    user: [ASK, 'from the tunnel'],
    admin: ['are you there?'],
  });
});

/** Both sides talk: before the page holds requests in place of a stream, and after. */
async function talkThrough(stage, page) {
  await handOver(stage, page);
  const user = [ASK];
  const admin = [];
  for (const count of [1, 2, 3, 4, 5, 6]) {
    if (count === 4) {
      await inTime(stage.proxy.until(() => stage.proxy.count('HOLD') > 0), 'a held request');
    }
    await say(page, `question ${count}`);
    user.push(`question ${count}`);
    stage.desk.say(`answer ${count}`);
    admin.push(`answer ${count}`);
    await stage.desk.untilText(`question ${count}`);
    await untilShown(page, `answer ${count}`);
  }
  await sameEverywhere(stage, page, { user, admin });
}

scene('a proxy that holds streams back for ever loses and doubles no line', async (stage, page) => {
  stage.proxy.mode = 'buffer';
  await talkThrough(stage, page);
}, { proxy: true });

scene('a proxy that cuts streams after 1 s loses and doubles no line', async (stage, page) => {
  stage.proxy.mode = 'cut';
  await talkThrough(stage, page);
  assert.ok(stage.proxy.count('GET') >= 3, 'the page tries streams before it holds requests');
}, { proxy: true });

scene('a page comes back by itself when a proxy stops answering 502', async (stage, page) => {
  await handOver(stage, page);
  stage.proxy.mode = 'refuse';
  stage.proxy.cutStreams();
  await say(page, 'into the wall');
  stage.desk.say('from behind it');
  await untilShown(page, 'Waits for the connection');
  const refused = stage.proxy.asked.length;
  await inTime(stage.proxy.until(() => stage.proxy.asked.length > refused + 3), 'further tries');
  stage.proxy.mode = 'pass';
  await stage.desk.untilText('into the wall');
  await untilShown(page, 'from behind it');
  await sameEverywhere(stage, page, {
    user: [ASK, 'into the wall'],
    admin: ['from behind it'],
  });
}, { proxy: true });

scene('two tabs share one stream, and the other takes over', async (stage, page) => {
  await handOver(stage, page);
  const other = await stage.open();
  await untilShown(other, ASK);
  await say(other, 'from the other tab');
  await untilShown(page, 'from the other tab');
  stage.desk.say('to both tabs');
  await untilShown(page, 'to both tabs');
  await untilShown(other, 'to both tabs');
  await inTime(stage.proxy.until(() => stage.proxy.streams.size === 1), 'one stream');
  const before = stage.proxy.count('GET');
  await page.close();
  await inTime(stage.proxy.until(() => stage.proxy.count('GET') === before + 1 && stage.proxy.streams.size === 1),
    'the stream of the other tab');
  stage.desk.say('still there?');
  await untilShown(other, 'still there?');
  await sameEverywhere(stage, other, {
    user: [ASK, 'from the other tab'],
    admin: ['to both tabs', 'still there?'],
  });
}, { proxy: true });

scene('a page that was opened before an upgrade goes on after it, without its files', async (stage, page) => {
  await handOver(stage, page);
  stage.proxy.gone = '/assets/';
  await stage.gateway.kill();
  await say(page, 'during the upgrade');
  await stage.openGateway();
  await stage.desk.untilText('during the upgrade');
  stage.desk.say('after it');
  await untilShown(page, 'after it');
  stage.desk.say('/handback');
  await untilStatus(page, 'The bot answers here');
  await say(page, 'buttons');
  await press(page, 'Yes');
  await untilShown(page, 'You said yes.');
  await sameEverywhere(stage, page, {
    user: [ASK, 'during the upgrade', 'buttons', 'Yes'],
    admin: ['after it'],
  });
}, { proxy: true });
