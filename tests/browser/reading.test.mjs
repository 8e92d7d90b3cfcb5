// What a customer reads: the position of the view, the words for a screen reader, the transcript
// after a reload, and the end of a conversation.

import assert from 'node:assert/strict';

import {
  handOver, inTime, press, say, scene, untilCount, untilShown, untilStatus, untilTrue,
} from './support.mjs';

/** The distance of the view from the end of the transcript. */
const toEnd = () => {
  const { scrollHeight, scrollTop, clientHeight } = document.querySelector('#scroller');
  return scrollHeight - scrollTop - clientHeight;
};

scene('at the end the view follows, and a tall reply is shown from its first line', async (stage, page) => {
  await page.setViewport({ width: 390, height: 600 });
  await handOver(stage, page);
  for (let count = 1; count <= 30; count += 1) {
    stage.desk.say(`line ${count}`);
  }
  await untilCount(page, 'line 30');
  await press(page, await page.$eval('#fresh', (button) => button.innerText));
  stage.desk.say('a short line');
  await untilCount(page, 'a short line');
  assert.ok(await page.evaluate(toEnd) < 2, 'the view follows');
  await say(page, 'Tell me all of it');
  await stage.desk.untilText('Tell me all of it');
  const tall = `First word. ${'And so on. '.repeat(200)}`.trim();
  stage.desk.say(tall);
  await untilCount(page, tall);
  const [above, height] = await page.evaluate(() => {
    const scroller = document.querySelector('#scroller');
    const line = document.querySelector('.line:last-child').getBoundingClientRect();
    return [line.top - scroller.getBoundingClientRect().top, line.height / scroller.clientHeight];
  });
  assert.ok(height > 1, 'the reply is taller than the view');
  assert.ok(above >= 0 && above < 40, `it begins ${above} px below the top of the view`);
  stage.desk.say('one more');
  await untilCount(page, 'one more');
  await untilTrue(page, 'the button', () => document.querySelector('#fresh').innerText === '1 new message');
  await press(page, '1 new message');
  await untilTrue(page, 'the end of the transcript', `(${toEnd})() < 2`);
});

/** Collects what the live region for messages is given. It runs before the page's own scripts. */
function collectHeard() {
  window.heard = [];
  const note = (records) => records.forEach(({ addedNodes }) =>
    addedNodes.forEach(({ textContent }) => window.heard.push(textContent)));
  document.addEventListener('readystatechange', () => {
    if (document.readyState === 'interactive') {
      new MutationObserver(note).observe(document.getElementById('announcer'), { childList: true, subtree: true });
    }
  });
}

const heardIn = (page) => page.evaluate(() => window.heard.splice(0));

scene('a screen reader hears each new message once, and never what was there before', async (stage, page) => {
  const nested = await page.evaluate(() => {
    const live = '[aria-live]:not([aria-live=off]), [role=status], [role=alert]';
    return [...document.querySelectorAll(live)].filter((it) =>
      it.parentElement.closest(`${live}, [role=log]`) || it.querySelector(live)).map(({ id }) => id);
  });
  assert.deepEqual(nested, [], 'no live region is in another one');
  for (const text of ['buttons', 'a picture', 'a card']) {
    const replies = await page.evaluate(() => window.heard.length);
    await say(page, text);
    await untilTrue(page, `the reply to ${text}`, (count) => window.heard.length > count, replies);
  }
  await untilTrue(page, 'a custom payload', () => document.querySelector('details.custom'));
  assert.deepEqual(await heardIn(page),
    ['Bot: Pick one. Yes. No', 'Bot: Here is a picture', 'Bot: Image at example.invalid', 'Bot: Data from the bot']);
  await handOver(stage, page);
  await heardIn(page);
  for (const text of ['one', 'two']) {
    stage.desk.say(text);
    await untilCount(page, text);
  }
  await say(page, 'my own line');
  await stage.desk.untilText('my own line');
  stage.desk.say('three');
  await untilCount(page, 'three');
  await untilCount(page, 'my own line');
  assert.deepEqual(await heardIn(page), ['Robin: one', 'Robin: two', 'Robin: three']);

  const other = await stage.open();
  await untilCount(other, 'three');
  stage.desk.say('four');
  await untilCount(other, 'four');
  assert.deepEqual(await heardIn(other), ['Robin: four'], 'a tab that is opened');
  const streams = stage.proxy.count('GET');
  await page.close();
  await inTime(stage.proxy.until(() => stage.proxy.count('GET') > streams && stage.proxy.streams.size === 1),
    'the stream of the other tab');
  stage.desk.say('five');
  await untilCount(other, 'five');
  assert.deepEqual(await heardIn(other), ['Robin: five'], 'a tab that takes over');

  await other.reload();
  await untilCount(other, 'five');
  stage.desk.say('six');
  await untilCount(other, 'six');
  assert.deepEqual(await heardIn(other), ['Robin: six'], 'after a reload');

  stage.proxy.mode = 'refuse';
  stage.proxy.cutStreams();
  stage.desk.say('seven');
  stage.desk.say('eight');
  await stage.gateway.untilText('eight');
  stage.proxy.mode = 'pass';
  await untilCount(other, 'eight');
  stage.desk.say('nine');
  await untilCount(other, 'nine');
  assert.deepEqual(await heardIn(other), ['2 new messages', 'Robin: nine'], 'after a lost connection');
}, { proxy: true, prepare: collectHeard });

/**
 * What the transcript shows, and which of its buttons can be pressed and was chosen. The gateway
 * tells the marks of a conversation only while it goes on, so they are left out.
 */
const transcriptOf = (page) => page.evaluate(() => {
  const log = document.querySelector('[role=log]');
  return {
    text: log.innerText.replace(/✓+\n?/g, ''),
    buttons: [...log.querySelectorAll('button[data-choice]')].map((it) =>
      [it.innerText, it.disabled ? 'inert' : 'live', it.getAttribute('aria-pressed')].join(' ')),
  };
});

scene('every kind of entry is there again after a reload and in another tab', async (stage, page) => {
  await say(page, 'buttons');
  await press(page, 'Yes');
  await untilShown(page, 'You said yes.');
  await say(page, 'a picture');
  await untilShown(page, 'Image at example.invalid');
  await say(page, 'a card');
  await untilTrue(page, 'a custom payload', () => document.querySelector('details.custom'));
  await say(page, 'I want to talk to a human');
  await untilStatus(page, 'Waiting for a human');
  await press(page, 'Back to the bot');
  await untilStatus(page, 'The bot answers here');
  await handOver(stage, page);
  stage.desk.say('**Look** at https://shop.example/a_b_c, please 👋');
  await untilShown(page, '👋');
  await say(page, 'two\nlines, و عربي');
  await stage.desk.untilText('two\nlines, و عربي');
  stage.desk.say('/handback');
  await untilShown(page, 'handed you back to the bot');
  await untilStatus(page, 'The bot answers here');
  await press(page, 'End');
  await untilStatus(page, 'Closed');
  await say(page, 'buttons');
  await untilShown(page, 'New conversation');
  await untilTrue(page, 'the menu', () => document.querySelectorAll('[role=log] .menu').length === 2);
  await untilTrue(page, 'no waiting line', () => !document.querySelector('[role=log] .waiting'));
  const before = await transcriptOf(page);
  assert.deepEqual(before.buttons, ['Yes inert true', 'No inert false', 'Yes live ', 'No live ']);
  await page.reload();
  await untilTrue(page, 'the menus', () => document.querySelectorAll('[role=log] .menu').length === 2);
  const other = await stage.open();
  await untilTrue(other, 'the menus', () => document.querySelectorAll('[role=log] .menu').length === 2);
  for (const tab of [page, other]) {
    assert.deepEqual(await transcriptOf(tab), before);
  }
});

/** Sends a choice as the page does, but past the page. Returns the status and the reason. */
const chooseByHand = (page, choice) => page.evaluate(async (given) => {
  const { conversation, number } = document.querySelector('[role=log] .line:has(.menu)').dataset;
  const answer = await fetch('/api/choose', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: `by-hand-${Math.random()}`.replace('.', ''), conversation, menu: Number(number), choice: given }),
  });
  return [answer.status, (await answer.json()).error];
}, choice);

scene('a choice marks its menu in every tab and after a reload, and the gateway refuses another', async (stage, page) => {
  await say(page, 'buttons');
  await untilShown(page, 'Pick one');
  const other = await stage.open();
  await untilShown(other, 'Pick one');
  await page.bringToFront();
  await press(page, 'No');
  const untilMarked = (tab) => untilTrue(tab, 'the mark', () =>
    [...document.querySelectorAll('[data-choice]')].map((it) => it.getAttribute('aria-pressed')).join() === 'false,true');
  for (const tab of [page, other]) {
    await untilMarked(tab);
  }
  await untilShown(page, 'You said no.');
  await page.reload();
  await untilMarked(page);
  assert.deepEqual((await transcriptOf(page)).buttons, ['Yes inert false', 'No inert true']);
  const [colour, ground] = await page.$eval('[data-choice]', (it) => {
    const { color, backgroundColor, opacity } = getComputedStyle(it);
    return [`${color} ${opacity}`, backgroundColor];
  });
  assert.ok(colour.endsWith(' 1') && !colour.startsWith(ground), `the other button can be read: ${colour} on ${ground}`);
  assert.deepEqual(await chooseByHand(page, 1), [409, 'chosen']);
  await page.$eval('[data-choice]', (it) => it.click());
  await say(page, 'buttons');
  await untilTrue(page, 'the second menu', () => document.querySelectorAll('[role=log] .menu').length === 2);
  assert.ok(!stage.gateway.events.some(({ text }) => text === 'You said yes.'));
});

scene('a handoff leaves its menus inert, also after a reload', async (stage, page) => {
  await say(page, 'buttons');
  await untilShown(page, 'Pick one');
  await press(page, 'Talk to a human');
  await untilStatus(page, 'Waiting for a human');
  const inert = ['Yes inert false', 'No inert false'];
  await untilTrue(page, 'inert buttons', () => document.querySelectorAll('[data-choice]:disabled').length === 2);
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'is here');
  await page.reload();
  await untilStatus(page, 'is here');
  assert.deepEqual((await transcriptOf(page)).buttons, inert);
  assert.deepEqual(await chooseByHand(page, 1), [409, 'chosen']);
  stage.desk.say('/handback');
  await untilStatus(page, 'The bot answers here');
  assert.deepEqual((await transcriptOf(page)).buttons, inert);
});

scene('a choice that comes second says so, and stays until the customer discards it', async (stage, page) => {
  await say(page, 'buttons');
  await untilShown(page, 'Pick one');
  // The page does not hear of the first choice for some seconds, as on a slow line.
  stage.proxy.mode = 'buffer';
  stage.proxy.cutStreams();
  assert.deepEqual((await chooseByHand(page, 1))[0], 202);
  await press(page, 'No');
  await untilShown(page, 'Not sent: another answer was chosen already.');
  await press(page, 'Discard');
  await untilShown(page, 'You said yes.');
  assert.deepEqual((await transcriptOf(page)).buttons, ['Yes inert true', 'No inert false']);
  const own = await page.$$eval('[data-author=user] .bubble', (bubbles) => bubbles.map((it) => it.innerText));
  assert.deepEqual(own, ['buttons', 'Yes']);
}, { proxy: true });

scene('the end stands there with its reason, and the next line begins a new conversation', async (stage, page) => {
  await handOver(stage, page);
  stage.desk.say('Goodbye');
  await untilCount(page, 'Goodbye');
  const other = await stage.open();
  await untilCount(other, 'Goodbye');
  stage.desk.say('/close');
  const showsEnd = async (tab) => {
    await untilStatus(tab, 'Closed. Robin ended this conversation.');
    await untilTrue(tab, 'what comes next', () => document.querySelector('textarea').placeholder === 'Write to begin a new conversation'
      && document.querySelector('#notice').innerText === 'Your next message begins a new conversation.');
    await untilTrue(tab, 'the end in the transcript', () =>
      document.querySelector('[role=log]').lastElementChild.innerText === 'Robin ended this conversation.');
    await untilCount(tab, 'Goodbye');
  };
  await showsEnd(page);
  await showsEnd(other);
  await page.reload();
  await showsEnd(page);
  await page.bringToFront();
  await say(page, 'hello again');
  for (const tab of [page, other]) {
    await untilTrue(tab, 'the new conversation', () => {
      const lines = document.querySelector('[role=log]').innerText.split('\n').filter(Boolean);
      const at = ['Goodbye', 'Robin ended this conversation.', 'New conversation', 'hello again'].map((it) => lines.indexOf(it));
      return at.every((it, index) => it > (at[index - 1] ?? -1));
    });
    await untilStatus(tab, 'The bot answers here');
  }
  assert.ok(!stage.desk.events.some(({ text }) => text === 'hello again'), 'the agent does not get it');
});
