// Checks that each line is there exactly once and in order: in the page, in the gateway's output,
// and in the desk's output.

import assert from 'node:assert/strict';

import { untilTrue } from './support.mjs';

/** The lines in the page, oldest first, each as `author: text`. */
export const linesOf = (page) =>
  page.$$eval('[role=log] .line[data-author]', (lines) => lines
    .filter((line) => !line.classList.contains('waiting'))
    .map((line) => [line.dataset.author, [...line.querySelectorAll('.bubble')]
      .map((bubble) => bubble.innerText).join('\n')].join(': ')));

const printed = (events) =>
  events.filter(({ event }) => event === 'message').map(({ author, text }) => `${author}: ${text}`);

/** What a restarted gateway prints again is history there, and no second line. */
const ofGateways = (gateways) =>
  gateways.flatMap(({ events }, run) => printed(events.filter((it) => run === 0 || !it.history)));

const of = (author, lines) => lines.filter((line) => line.startsWith(`${author}: `));

/**
 * Waits until the page has as many lines as were said, and compares the three. `said` names what
 * customer and agent said, each in their order. Agent and customer may speak at once, so the two
 * ends need not agree on which of two authors was first.
 */
export async function sameEverywhere(stage, page, said) {
  const { user, admin = [] } = said;
  await untilTrue(page, `${user.length} and ${admin.length} lines`, (users, admins) => {
    const count = (author) => document.querySelectorAll(
      `[role=log] .line[data-author=${author}]:not(.waiting)`).length;
    return count('user') >= users && count('admin') >= admins
      && !document.querySelector('[role=log] .waiting');
  }, user.length, admin.length);
  const shown = await linesOf(page);
  assert.deepEqual(of('user', shown), user.map((text) => `user: ${text}`), 'the customer, in the page');
  assert.deepEqual(of('admin', shown), admin.map((text) => `admin: ${text}`), 'the agent, in the page');
  assert.deepEqual(ofGateways(stage.gateways), shown, 'the gateway prints what the page shows');
  const atDesk = printed(stage.desk.events);
  for (const author of ['user', 'admin', 'bot']) {
    const all = of(author, shown);
    const there = of(author, atDesk);
    // What customer and bot said after the last agent left never reaches a desk.
    assert.deepEqual(there, all.slice(0, there.length), `${author}, at the desk`);
  }
  assert.deepEqual(of('admin', atDesk).length, admin.length, 'every line of the agent');
  return { shown, atDesk };
}
