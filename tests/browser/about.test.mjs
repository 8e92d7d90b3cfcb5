// The form that asks a customer for a name and an email address before the first handoff.

import assert from 'node:assert/strict';

import { press, say, scene, untilShown, untilStatus, untilTrue } from './support.mjs';
import { openPanel } from './widget.mjs';

const ASK = 'I want to talk to a human';
const isAsked = () => !document.querySelector('#about').hidden;
const untilAsked = (page) => untilTrue(page, 'the form', isAsked);

scene('who asks for a human says who they are first, and the agent sees it', async (stage, page) => {
  await say(page, 'buttons');
  await untilShown(page, 'Pick one');
  await press(page, 'Talk to a human');
  await untilAsked(page);
  assert.ok(!stage.gateway.events.some((it) => it.state === 'queued'));
  await page.keyboard.type('Ann');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(isAsked), true, 'an email address is missing');
  await page.type('[name=email]', 'ann@example.com');
  await press(page, 'Continue');
  await untilStatus(page, 'Waiting for a human');
  await stage.desk.untilText('Hey! Ann wants to talk to you');
  const { name, email } = await stage.desk.until('the page', (it) => it.event === 'page');
  assert.deepEqual([name, email], ['Ann', 'ann@example.com']);
  await stage.gateway.kill();
  await stage.openGateway();
  stage.desk.say('/accept Ann');
  await untilStatus(page, 'is here');
  stage.desk.say('/close');
  await untilStatus(page, 'ended');
  await say(page, ASK);
  await untilStatus(page, 'Waiting for a human');
  assert.equal(await page.evaluate(isAsked), false, 'nobody is asked twice');
  const isAnns = ({ event, name }) => event === 'page' && name === 'Ann';
  await stage.desk.until('the second page', () => stage.desk.events.filter(isAnns).length === 2);
}, { web: ['--ask', 'name,email'] });

scene('a customer whom the bot hands over is asked while they wait', async (stage, page) => {
  stage.shop.attributes = 'async data-ask="name"';
  await page.goto(stage.shop.origin);
  const chat = await openPanel(page);
  await say(chat, ASK);
  await untilStatus(chat, 'Waiting for a human');
  await untilAsked(chat);
  assert.equal(await chat.evaluate(() => document.querySelector('#about [name=email]').checkVisibility()), false);
  await chat.type('[name=name]', 'Bo');
  await press(chat, 'Continue');
  await stage.desk.until('the name', (it) => it.event === 'page' && it.name === 'Bo');
  stage.desk.say('/accept bo');
  await untilStatus(chat, 'is here');
}, { shop: 'localhost' });

/** What stands in the form for the name, or null if the form is not shown. */
const shownName = () => (document.querySelector('#about').hidden ? null : document.querySelector('#about [name=name]').value);

scene('the form stays when an agent accepts meanwhile, and the agent sees the answer', async (stage, page) => {
  await say(page, ASK);
  await untilAsked(page);
  await page.type('[name=name]', 'B');
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'is here');
  assert.equal(await page.evaluate(shownName), 'B');
  await page.keyboard.type('o');
  await page.keyboard.press('Enter');
  await stage.desk.until('the name', (it) => it.event === 'page' && it.name === 'Bo');
  await untilTrue(page, 'no form', () => document.querySelector('#about').hidden);
  await untilStatus(page, 'is here');
}, { web: ['--ask', 'name'] });

scene('what was typed into the form does not come back in the next conversation', async (stage, page) => {
  await press(page, 'Talk to a human');
  await untilAsked(page);
  await page.keyboard.type('Bo');
  await say(page, ASK);
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'is here');
  assert.equal(await page.evaluate(shownName), 'Bo');
  stage.desk.say('/close');
  await untilStatus(page, 'Closed');
  assert.equal(await page.evaluate(shownName), null);
  await say(page, ASK);
  await untilStatus(page, 'Waiting for a human');
  assert.equal(await page.evaluate(shownName), '');
}, { web: ['--ask', 'name'] });

scene('who goes back to the bot is not asked any more', async (stage, page) => {
  await say(page, ASK);
  await untilAsked(page);
  await press(page, 'Back to the bot');
  await untilStatus(page, 'The bot answers here');
  assert.equal(await page.evaluate(isAsked), false);
}, { web: ['--ask', 'name'] });

scene('a customer who is asked while they wait can end all the same', async (stage, page) => {
  await say(page, ASK);
  await untilAsked(page);
  await press(page, 'End');
  await press(page, 'End');
  await untilStatus(page, 'You ended this conversation.');
}, { web: ['--ask', 'name'] });

scene('who does not want to say who they are gets a human all the same', async (stage, page) => {
  await untilTrue(page, 'the button', () => document.querySelector('#human').textContent);
  await press(page, 'Talk to a human');
  await untilAsked(page);
  await press(page, 'Skip');
  await untilStatus(page, 'Waiting for a human');
  assert.equal(await page.evaluate(isAsked), false);
  await stage.desk.until('the call', (it) => /^Hey! Customer .* wants to talk/.test(it.text));
}, { web: ['--ask', 'email'] });
