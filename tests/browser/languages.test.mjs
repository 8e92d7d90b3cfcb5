// The widget in each of its languages: the page's language decides, and every sentence follows it.

import assert from 'node:assert/strict';

import { press, say, scene, untilShown, untilStatus, untilTrue } from './support.mjs';
import { BUTTON, openPanel, untilButton, untilPanel } from './widget.mjs';

const LABELS = { en: 'Chat', ar: 'محادثة', de: 'Chat', es: 'Chat', fr: 'Chat', nl: 'Chat' };

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
    const { lang, dir, texts, labels } = await chat.evaluate(() => ({
      lang: document.documentElement.lang,
      dir: getComputedStyle(document.querySelector('#composer')).direction,
      texts: [...document.querySelectorAll('[data-words]')].map((it) => [it.dataset.words, it.textContent]),
      labels: [...document.querySelectorAll('[data-label]')].map((it) => [it.dataset.label, it.getAttribute('aria-label')]),
    }));
    assert.deepEqual([lang, dir], [spoken, spoken === 'ar' ? 'rtl' : 'ltr']);
    for (const [name, text] of [...texts, ...labels]) {
      assert.equal(text, words[name], name);
    }
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
