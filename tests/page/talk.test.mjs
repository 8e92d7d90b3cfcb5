// What src/page/talk.js knows of conversations. Run it by `node --test tests/page`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Talk } from '../../src/page/talk.js';

const [FORMER, LATER] = ['a'.repeat(32), 'b'.repeat(32)];
const message = (n, conversation, text, second, author = 'user') =>
  ({ event: 'message', id: `1-${n}`, conversation, author, text, number: n, at: `2026-11-26T10:00:0${second}.000Z` });
const shown = (talk) =>
  talk.events.filter(({ isMoved }) => !isMoved).map(({ conversation, text }) => conversation[0] + text);

/** A conversation of three lines, and another one that replaced it with two of them. */
const FORKED = [
  message(1, FORMER, 'hi', 1),
  message(2, FORMER, 'yes', 2),
  message(3, FORMER, 'yes', 3),
  message(4, LATER, 'yes', 2),
  message(5, LATER, 'yes', 3),
  message(6, LATER, 'hi', 6),
];

test('a line that a conversation took over from the one before is shown there alone', () => {
  const talk = new Talk();
  talk.apply(FORKED.slice(0, 3));
  const { moved } = talk.apply(FORKED.slice(3));
  assert.deepEqual(moved.map(({ n }) => n), [2, 3]);
  assert.deepEqual(shown(talk), ['ahi', 'byes', 'byes', 'bhi']);
});

test('the same holds when the former conversation is loaded later', () => {
  const talk = new Talk();
  talk.apply([{ event: 'reset', first: 4 }, ...FORKED.slice(3)]);
  talk.prepend(FORKED.slice(0, 3), false);
  assert.deepEqual(shown(talk), ['ahi', 'byes', 'byes', 'bhi']);
});

const state = (n, state, more) => ({ event: 'state', id: `1-${n}`, conversation: LATER, at: '2026-11-26T10:00:00.000Z', state, ...more });
const CLOSED = { reason: 'admin_closed' };
const reasonAfter = (...events) => {
  const talk = new Talk();
  talk.apply(events.map(([name, more], at) => state(at + 1, name, more)));
  return talk.reason;
};

test('an end by the desk is an agent\'s if an agent had the customer, and nobody\'s if none had', () => {
  const waits = ['queued'];
  const answers = ['active', { admin: 'Dora' }];
  assert.equal(reasonAfter(waits, ['closed', CLOSED]), null);
  assert.equal(reasonAfter(waits, answers, ['bot', { reason: 'handed_back' }], ['closed', CLOSED]), null);
  assert.equal(reasonAfter(waits, answers, ['bot', { reason: 'handed_back' }], waits, ['closed', CLOSED]), null);
  assert.equal(reasonAfter(waits, answers, ['closed', CLOSED]), 'admin_closed');
  assert.equal(reasonAfter(waits, ['closed', { reason: 'user_ended' }]), 'user_ended');
});

test('an agent has ended a conversation whose beginning the page has not loaded', () => {
  assert.equal(reasonAfter(['closed', CLOSED]), 'admin_closed');
});
