// A customer on the page, a real Rasa and an agent. `scripts/test` starts Rasa.

import assert from 'node:assert/strict';

import { sameEverywhere } from './lines.mjs';
import { handOver, press, say, scene, untilShown, untilStatus } from './support.mjs';

const RASA = process.env.HANDOFF_RASA_URL;
const ASK = 'I want to talk to a human';

/** What Rasa got from the customer, by its own memory of the conversation. */
async function heard(stage) {
  const { conversation } = stage.gateway.events.find((it) => it.event === 'state');
  const answer = await fetch(`${RASA}/conversations/${conversation}/tracker?include_events=ALL`);
  const { events } = await answer.json();
  return events.filter((it) => it.event === 'user').map((it) => it.text);
}

scene('a customer of a real Rasa is handed over, back, and over again', async (stage, page) => {
  await say(page, 'hello');
  await untilShown(page, 'Hello! How can I help you?');
  await say(page, 'buttons please');
  await untilShown(page, 'Do you like buttons?');
  await press(page, 'No');
  await untilShown(page, 'You said no.');
  await say(page, '/restart');
  await handOver(stage, page);
  const before = ['hello', 'buttons please', '/deny', '∕restart', ASK];
  assert.deepEqual(await heard(stage), before);
  stage.desk.say('Hello, it is Robin.');
  await untilShown(page, 'Hello, it is Robin.');
  await say(page, '見つかりません 🙈');
  await stage.desk.untilText('見つかりません 🙈');
  assert.deepEqual(await heard(stage), before, 'the bot got something while Robin was the owner');
  stage.desk.say('/handback');
  await untilStatus(page, 'The bot answers here');
  await say(page, 'who are you');
  await untilShown(page, 'I am an example bot.');
  await handOver(stage, page);
  await sameEverywhere(stage, page, {
    user: ['hello', 'buttons please', 'No', '/restart', ASK, '見つかりません 🙈', 'who are you', ASK],
    admin: ['Hello, it is Robin.'],
  });
  stage.desk.say('/close');
  await untilStatus(page, 'Closed. Robin ended this conversation.');
}, { bot: RASA, skip: !RASA && 'it needs a real Rasa: scripts/test starts one' });
