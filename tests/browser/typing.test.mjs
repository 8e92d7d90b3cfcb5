// A customer's input: keys, presses, compositions and scrolling.

import assert from 'node:assert/strict';

import { sameEverywhere } from './lines.mjs';
import { handOver, press, say, scene, untilCount, untilShown, untilStatus, untilTrue } from './support.mjs';

const ASK = 'I want to talk to a human';
const INPUT = '::-p-aria([name="Message"][role="textbox"])';

/** Presses a button twice within one turn of the page, as a trembling finger does. */
const pressTwice = (page, name) => page.evaluate((wanted) => {
  const found = [...document.querySelectorAll('button')]
    .find((it) => (it.getAttribute('aria-label') ?? it.innerText) === wanted);
  found.click();
  found.click();
}, name);

scene('a double press of a button or of Enter is one message', async (stage, page) => {
  await say(page, 'buttons');
  await untilShown(page, 'Pick one');
  await pressTwice(page, 'Yes');
  await untilShown(page, 'You said yes.');
  await pressTwice(page, 'Talk to a human');
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'Robin');
  await page.locator(INPUT).click();
  await page.keyboard.type('by Enter');
  await Promise.all([page.keyboard.press('Enter'), page.keyboard.press('Enter')]);
  await page.keyboard.type('by Send');
  await pressTwice(page, 'Send');
  await say(page, 'the end');
  await stage.desk.untilText('the end');
  await sameEverywhere(stage, page, { user: ['buttons', 'Yes', 'by Enter', 'by Send', 'the end'] });
  const asked = stage.gateway.events.filter((it) => it.event === 'state' && it.state === 'queued');
  assert.equal(new Set(asked.map((it) => it.position)).size, asked.length, 'one request for a human');
});

scene('an Enter that ends a composition sends nothing, the next one does', async (stage, page) => {
  await handOver(stage, page);
  await page.locator(INPUT).click();
  const cdp = await page.createCDPSession();
  // A key that an input method takes has the code 229.
  const takenEnter = async () => {
    const key = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 };
    await cdp.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', ...key });
    await cdp.send('Input.dispatchKeyEvent', { type: 'keyUp', ...key });
  };
  await page.evaluate(() => {
    window.order = [];
    for (const name of ['keydown', 'compositionend']) {
      document.addEventListener(name, (event) =>
        window.order.push(`${name}${event.isComposing ? ' composing' : ''} ${event.keyCode ?? ''}`), true);
    }
  });
  const compose = (text) => cdp.send('Input.imeSetComposition', {
    text, selectionStart: text.length, selectionEnd: text.length,
  });
  const isNothingSent = () => page.$$eval('[role=log] [data-author=user]', (it) => it.length === 1);

  // Chromium and Firefox report the key before the composition ends.
  await compose('にほん');
  await takenEnter();
  await cdp.send('Input.insertText', { text: '日本' });
  assert.deepEqual(await page.evaluate(() => window.order.map((it) => it.trim())),
    ['keydown composing 229', 'compositionend']);
  assert.ok(await isNothingSent());

  // Safari ends the composition first.
  await page.evaluate(() => { window.order = []; });
  await compose('ご');
  await cdp.send('Input.insertText', { text: '語' });
  await takenEnter();
  assert.deepEqual(await page.evaluate(() => window.order.map((it) => it.trim())),
    ['compositionend', 'keydown 229']);
  assert.ok(await isNothingSent());

  await page.keyboard.press('Enter');
  await stage.desk.untilText('日本語');
  await sameEverywhere(stage, page, { user: [ASK, '日本語'] });
});

scene('scrolled up, an arrival does not move the view', async (stage, page) => {
  await page.setViewport({ width: 390, height: 600 });
  await handOver(stage, page);
  for (let count = 1; count <= 30; count += 1) {
    stage.desk.say(`line ${count}`);
  }
  await untilCount(page, 'line 30');
  const view = () => page.$eval('#scroller', (it) => [it.scrollTop, it.scrollHeight]);
  // The page learns of the new position with the next frame, as if the scrollbar was dragged.
  const scrollTo = async (top) => {
    await page.$eval('#scroller', (it, to) => { it.scrollTop = to; }, top);
    await page.evaluate(() => new Promise((done) => {
      requestAnimationFrame(() => requestAnimationFrame(done));
    }));
  };
  await scrollTo(1e6);
  await scrollTo(120);
  const [before, height] = await view();
  stage.desk.say('an arrival');
  await untilCount(page, 'an arrival');
  stage.desk.say('and another');
  await untilShown(page, 'and another');
  await untilTrue(page, 'the button', () =>
    document.querySelector('#fresh').innerText === '2 new messages');
  const [after, higher] = await view();
  assert.equal(after, before);
  assert.ok(higher > height, 'the arrivals made the transcript higher');
  await press(page, '2 new messages');
  await untilTrue(page, 'the end of the transcript', () => {
    const it = document.querySelector('#scroller');
    return it.scrollHeight - it.scrollTop - it.clientHeight < 2
      && document.querySelector('#fresh').hidden;
  });
});

/** Moves the focus by Tab alone to what has this name, and checks that the focus can be seen. */
async function tabTo(page, name) {
  for (let count = 0; count < 40; count += 1) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      const it = document.activeElement;
      const drawn = [it, it.parentElement].map((one) => getComputedStyle(one));
      return {
        name: it.getAttribute('aria-label') ?? it.innerText,
        isSeen: drawn.some(({ outlineStyle, boxShadow }) =>
          outlineStyle !== 'none' || boxShadow !== 'none'),
      };
    });
    if (focus.name === name) {
      assert.ok(focus.isSeen, `the focus on ${name} can be seen`);
      return;
    }
  }
  assert.fail(`the Tab key never came to ${name}`);
}

scene('the keyboard alone is enough for a whole handoff', async (stage, page) => {
  await tabTo(page, 'Message');
  await page.keyboard.type('buttons');
  await page.keyboard.press('Enter');
  await untilShown(page, 'Pick one');
  await tabTo(page, 'Yes');
  await page.keyboard.press('Space');
  await untilShown(page, 'You said yes.');
  await tabTo(page, 'Talk to a human');
  await page.keyboard.press('Enter');
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'Robin');
  await tabTo(page, 'Message');
  await page.keyboard.type('first');
  await page.keyboard.down('Shift');
  await page.keyboard.press('Enter');
  await page.keyboard.up('Shift');
  await page.keyboard.type('second');
  await tabTo(page, 'Send');
  await page.keyboard.press('Enter');
  await stage.desk.untilText('first\nsecond');
  await tabTo(page, 'More');
  await page.keyboard.press('Enter');
  await untilTrue(page, 'the menu', () => !document.querySelector('#menu').hidden);
  await page.keyboard.press('Escape');
  await untilTrue(page, 'no menu', () => document.querySelector('#menu').hidden
    && document.activeElement.id === 'more');
  await tabTo(page, 'End');
  await page.keyboard.press('Enter');
  await untilTrue(page, 'the question', () => document.activeElement.id === 'stay');
  await tabTo(page, 'End');
  await page.keyboard.press('Enter');
  await untilStatus(page, 'Closed. You ended this conversation.');
  await sameEverywhere(stage, page, { user: ['buttons', 'Yes', 'first\nsecond'] });
});
