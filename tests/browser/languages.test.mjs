// The widget in each of its languages: the page's language decides, and every sentence follows it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { enter, press, say, scene, until, untilShown, untilStatus, untilTrue } from './support.mjs';
import { BUTTON, openPanel, untilButton, untilPanel } from './widget.mjs';

const LABELS = { en: 'Chat', ar: 'محادثة', de: 'Chat', es: 'Chat', fr: 'Chat', nl: 'Chat' };

/** The names of the sentences that the page has from its start, in their order. */
const SENTENCES = [...readFileSync(new URL('../../src/page/chat.html', import.meta.url), 'utf8')
  .matchAll(/data-(?:words|label)="(\w+)"/g)].map(([, name]) => name);

/** What is wider than the chat, as an overflow in pixels. */
const overflow = (chat) => chat.evaluate(() =>
  [document.documentElement, document.querySelector('#scroller')].map((it) => it.scrollWidth - it.clientWidth));

for (const [language, label] of Object.entries(LABELS)) {
  scene(`a page in ${language} has the chat in its language, or else in English`, async (stage, page) => {
    const spoken = language === 'nl' ? 'en' : language;
    const { words } = await import(`../../src/page/words.${spoken}.js`);
    stage.shop.attributes = `async data-language="${language}"`;
    await page.setViewport({ width: 320, height: 640 });
    await page.goto(stage.shop.origin);
    await untilButton(page);
    assert.equal(await page.$eval(BUTTON, (button) => button.firstChild.data), label);
    const chat = await openPanel(page);
    const { lang, dir, texts } = await chat.evaluate(() => ({
      lang: document.documentElement.lang,
      dir: getComputedStyle(document.querySelector('#composer')).direction,
      texts: [...document.querySelectorAll('[data-words], [data-label]')].map((it) => it.ariaLabel ?? it.textContent),
    }));
    assert.deepEqual([lang, dir], [spoken, spoken === 'ar' ? 'rtl' : 'ltr']);
    assert.deepEqual(texts, SENTENCES.map((name) => words[name]));
    await untilTrue(chat, 'the hint', (hint) => document.querySelector('textarea').placeholder === hint, words.write);
    await say(chat, 'I want to talk to a human');
    await untilStatus(chat, words.waiting(1));
    await stage.desk.untilState('queued');
    stage.desk.say('/accept');
    await untilStatus(chat, words.isHere('Robin'));
    stage.desk.say('/hold');
    await untilStatus(chat, words.onHold('Robin'));
    stage.desk.say('/resume');
    await untilStatus(chat, words.isHere('Robin'));
    stage.desk.say('/transfer queue');
    await untilShown(chat, words.left('Robin'));
    await stage.desk.untilState('queued');
    stage.desk.say('/accept');
    await untilStatus(chat, words.isHere('Robin'));
    stage.desk.say('/close');
    await untilStatus(chat, words.closed('admin_closed', 'Robin'));
    assert.deepEqual(await overflow(chat), [0, 0]);
  }, { shop: 'localhost' });
}

/** What a shop gives its pages in a language: its own texts. */
const TEXTS = {
  de: { label: 'Frag uns', title: 'Hilfe', opening: 'Guten Tag!', notice: 'Sind Sie einverstanden?' },
  fr: { label: 'Aide', title: 'Conseil', opening: 'Bonjour !', notice: 'Vous êtes d’accord ?' },
};

scene('a shop\'s own texts, and what desk and gateway say, are in the language of each page', async (stage, page) => {
  for (const [language, texts] of Object.entries(TEXTS)) {
    const given = Object.entries({ ...texts, language }).map(([name, text]) => `data-${name}="${text}"`).join(' ');
    stage.shop.pages[`/${language}`] = { line: `<script src="${stage.origin}/widget.js" async ${given}></script>` };
  }
  const untilTexts = async (chat, { label, title, opening, notice }) => {
    assert.equal(await page.$eval(BUTTON, (button) => button.firstChild.data), label);
    await untilTrue(chat, 'the texts', (wanted) => ['h1', '.welcome', '#notice-text']
      .map((it) => document.querySelector(it).textContent).join() === wanted, [title, opening, notice].join());
  };
  const { words } = await import('../../src/page/words.de.js');
  const { words: french } = await import('../../src/page/words.fr.js');
  await page.goto(`${stage.shop.origin}/fr`);
  await untilTexts(await openPanel(page), TEXTS.fr);
  await page.goto(`${stage.shop.origin}/de`);
  const german = await untilPanel(page);
  await untilTexts(german, TEXTS.de);
  await say(german, 'I want to talk to a human');
  await untilShown(german, words.waitsForAgreement);
  await press(german, words.agree);
  await untilStatus(german, words.waiting(1));
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilShown(german, words.joined('Robin'));
  await page.goto(`${stage.shop.origin}/fr`);
  const chat = await untilPanel(page);
  await untilStatus(chat, french.isHere('Robin'));
  await untilShown(chat, french.queued);
  await untilShown(chat, french.joined('Robin'));
  const log = await chat.$eval('[role=log]', (it) => it.innerText);
  assert.ok(!log.includes(words.queued) && !log.includes(words.joined('Robin')), log);
}, { shop: 'localhost' });

/** How far the caret stands from the left edge of the input, as a part of the input's width. */
async function caretAt(page) {
  await page.$eval('textarea', (input) => { input.style.caretColor = '#f00'; });
  const { x, y, width, height } = await (await page.$('textarea')).boundingBox();
  let at = null;
  // The caret blinks.
  await until('the caret', async () => {
    const picture = await page.screenshot({ encoding: 'base64', clip: { x, y, width, height } });
    at = await page.evaluate(async (data) => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const { width: columns, height: rows } = image;
      const context = new OffscreenCanvas(columns, rows).getContext('2d');
      context.drawImage(image, 0, 0);
      const { data: points } = context.getImageData(0, 0, columns, rows);
      const point = points.findIndex((red, index) =>
        index % 4 === 0 && red > 200 && points[index + 1] < 60 && points[index + 2] < 60);
      return point < 0 ? null : ((point / 4) % columns) / columns;
    }, picture);
    return at !== null;
  });
  return at;
}

scene('the caret of an empty input stands where the page\'s language begins, and a text follows its own', async (stage, page) => {
  await page.goto(`${stage.origin}/chat?language=ar`);
  await enter(page);
  assert.ok((await caretAt(page)) > 0.9, 'Arabic begins at the right');
  await page.keyboard.type('a');
  assert.ok((await caretAt(page)) < 0.1, 'a Latin text begins at the left');
  await page.keyboard.press('Backspace');
  await page.keyboard.type('م');
  assert.ok((await caretAt(page)) > 0.9, 'an Arabic text begins at the right');
  await page.goto(`${stage.origin}/chat?language=en`);
  await enter(page);
  assert.ok((await caretAt(page)) > 0.9, 'so does an Arabic draft on an English page');
  await page.keyboard.press('Backspace');
  assert.ok((await caretAt(page)) < 0.1, 'English begins at the left');
});
