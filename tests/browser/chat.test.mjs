// What a customer sees in a real browser, with a real bot, desk and gateway behind the page.

import assert from 'node:assert/strict';

import {
  enter, handOver, press, say, scene, untilCount, untilShown, untilStatus, untilTrue,
} from './support.mjs';

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

/** What the customer is told above the input. */
const notice = (page) => page.$eval('#notice', (it) => it.textContent);
/** Waits until that is this text, and this button or kind of element has the focus. */
const untilNotice = (page, ...wanted) => untilTrue(page, wanted, (text, focus) =>
  document.querySelector('#notice').textContent === text
    && (document.activeElement.textContent || document.activeElement.tagName) === focus, ...wanted);
const QUESTION = 'End the conversation?';

scene('a customer who is with a human ends the conversation at the second press only', async (stage, page) => {
  const canEnd = () => page.$eval('#end', (button) => button.checkVisibility());
  await enter(page);
  await untilTrue(page, 'a customer', () => localStorage.length > 0);
  // The stream begins with what is so now.
  await page.evaluate(async () => {
    const stream = (await fetch('api/stream')).body.getReader();
    await stream.read();
    await stream.cancel();
    await new Promise(requestAnimationFrame);
  });
  assert.equal(await canEnd(), false, 'nothing was said yet');
  await handOver(stage, page);
  assert.equal(await canEnd(), true);
  await press(page, 'End');
  await untilNotice(page, QUESTION, 'Stay');
  const { description } = await page.accessibility.snapshot({ root: await page.$('#stay') });
  assert.equal(description, QUESTION);
  await page.keyboard.press('Enter');
  await untilNotice(page, '', 'End');
  await page.keyboard.press('Enter');
  await untilNotice(page, QUESTION, 'Stay');
  await page.keyboard.press('Escape');
  await untilNotice(page, '', 'End');
  // A double press on the first button does not end, either.
  const { x, y } = await (await page.$('#end')).clickablePoint();
  await page.mouse.click(x, y, { count: 2 });
  assert.equal(await notice(page), QUESTION);
  stage.desk.say('still here?');
  await untilShown(page, 'still here?');
  assert.equal(await notice(page), QUESTION, 'a message does not take the question away');
  await press(page, 'End');
  await stage.desk.untilState('closed');
  await untilStatus(page, 'You ended this conversation.');
});

scene('a customer who waits is asked before they lose their place, until there is nothing to end', async (stage, page) => {
  await say(page, 'human');
  await untilStatus(page, 'position 1');
  await press(page, 'End');
  await untilNotice(page, QUESTION, 'Stay');
  assert.equal(await page.$eval('#bot', (button) => button.checkVisibility()), false);
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'Robin is here');
  assert.equal(await notice(page), QUESTION);
  stage.desk.say('/handback');
  await untilStatus(page, 'The bot answers here');
  await untilNotice(page, '', 'TEXTAREA');
  await press(page, 'End');
  await untilStatus(page, 'You ended this conversation.');
});

scene('a customer who waits reads that nobody is here, and that they wait on when somebody is', async (stage, page) => {
  await say(page, 'human');
  await untilStatus(page, 'position 1');
  stage.desk.say('/away');
  await untilStatus(page, 'Nobody is here now; you keep position 1');
  stage.desk.say('/here');
  await untilStatus(page, 'Waiting for a human, position 1');
});

scene('a customer whose agent goes reads why they wait again, also after a reload', async (stage, page) => {
  await handOver(stage, page);
  stage.desk.say('/transfer queue');
  const untilTold = () => untilTrue(page, 'why', () =>
    [...document.querySelectorAll('[role=log] .change')].map((it) => it.textContent).join('|')
      === 'You are in the queue for a human.|Robin is here now.|Robin is no longer here. You are at the front of the queue.');
  await untilTold();
  await page.reload();
  await untilTold();
});

scene('a customer whom the desk turns away reads that the conversation has ended, and not by whom', async (stage, page) => {
  await handOver(stage, page);
  stage.desk.say('/block');
  await untilStatus(page, 'Robin ended this conversation.');
  await say(page, 'I want to talk to a human');
  await untilStatus(page, 'Closed. This conversation has ended.');
  await untilTrue(page, 'both ends', () =>
    [...document.querySelectorAll('[role=log] .closed')].map((it) => it.innerText).join() ===
      'Robin ended this conversation.,This conversation has ended.');
});

scene('while the desk cannot be reached, the status does not claim that the agent is here', async (stage, page) => {
  await handOver(stage, page);
  await stage.desk.kill();
  await untilTrue(page, 'the notice and the bare name', () =>
    document.querySelector('#notice').innerText.startsWith('The connection to Robin is interrupted.') &&
    document.querySelector('#status').innerText === 'Robin');
});

scene('a page that is only looked at keeps nothing and asks nothing', async (stage, page) => {
  assert.deepEqual(await stage.browser.cookies(), []);
  assert.deepEqual(await page.$$eval('button', (buttons) => buttons.filter((it) => it.hidden && it.checkVisibility()).map(({ id }) => id)), [],
    'what is of the frame alone is not shown');
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
  assert.deepEqual(page.requests.filter((it) => it.includes('/api/')), []);
  assert.deepEqual(page.console, []);
  await say(page, 'hello');
  await untilShown(page, 'I am the demo bot');
  const [cookie] = await stage.browser.cookies();
  assert.equal(cookie.httpOnly, true);
  assert.equal(await page.evaluate(() => document.cookie), '');
});

/** What a picture server answers: one grey point. */
const PICTURE = Buffer.from('R0lGODlhAQABAIAAAJmZmQAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64');

scene('an image is shown if its host is allowed, and its label if it does not come', async (stage, page) => {
  await page.setRequestInterception(true);
  let isThere = true;
  page.on('request', (request) => {
    if (!request.url().startsWith('https://example.invalid/')) {
      request.continue();
    } else if (isThere) {
      request.respond({ contentType: 'image/gif', body: PICTURE, headers: { 'cache-control': 'no-store' } });
    } else {
      request.abort();
    }
  });
  await say(page, 'a picture');
  await untilTrue(page, 'the image', () =>
    document.querySelector('[role=log] a img')?.naturalWidth === 1);
  isThere = false;
  await page.reload();
  await untilShown(page, 'Image at example.invalid');
  page.faults = page.faults.filter((it) => it !== 'request: https://example.invalid/cat.png');
}, { web: ['--images', 'example.invalid'] });

scene('customer and agent see that the other types', async (stage, page) => {
  await handOver(stage, page);
  await page.locator('::-p-aria([name="Message"][role="textbox"])').click();
  await page.keyboard.type('wait');
  await stage.desk.until('the sign', (it) => it.event === 'typing');
  const before = page.requests.filter((it) => it.endsWith('/api/typing')).length;
  await page.keyboard.type(', I am looking');
  assert.equal(page.requests.filter((it) => it.endsWith('/api/typing')).length, before);
});
