// Every language has every sentence of the English one.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';

const FOLDER = new URL('../../src/page/', import.meta.url);
const files = readdirSync(FOLDER).filter((name) => /^words\.\w+\.js$/.test(name));
const { words: english } = await import(new URL('words.en.js', FOLDER));

/** The facts that a sentence may get. A name, a reason or a position may be missing. */
const NAMES = [['Ada'], [null]];
const COUNTS = [[0], [1], [2], [3], [11], [100]];
const ENDS = ['user_ended', 'admin_closed', 'inactivity', 'error', null].map((reason) => [reason, null]);
const REASONS = ['closed', 'chosen', 'rate', 'queue', 'other', null].map((reason) => [reason]);
const FACTS = {
  agent: NAMES, isHere: NAMES, onHold: NAMES, joined: NAMES, left: NAMES, handedBack: NAMES, deskLost: NAMES,
  fresh: COUNTS, tooLong: COUNTS, waiting: [...COUNTS.slice(1), [undefined]], nobodyHere: [...COUNTS.slice(1), [undefined]],
  closed: ENDS, ended: ENDS, refused: REASONS, delayed: REASONS,
  unread: [[3, 'Shop']], said: [['You', 'hello']], image: [['images.example']], fileName: [['2026-11-27']],
};

for (const file of files) {
  test(`${file} has every sentence`, async () => {
    const { words } = await import(new URL(file, FOLDER));
    assert.deepEqual(Object.keys(words), Object.keys(english));
    assert.equal(words.locale, file.split('.')[1]);
    for (const [name, value] of Object.entries(words)) {
      const texts = typeof value === 'function' ? FACTS[name].map((facts) => value(...facts)) : [value];
      for (const text of texts) {
        assert.match(text, /\S/u, name);
        assert.doesNotMatch(text, /undefined|null|NaN|\[object/u, name);
      }
    }
  });
}

test('a name cannot turn the sentence around it', async () => {
  for (const file of files) {
    const { words } = await import(new URL(file, FOLDER));
    assert.doesNotMatch(words.joined('\u202eevil\u2067'), /[\u202a-\u202e\u2066\u2067]/u, file);
  }
});
