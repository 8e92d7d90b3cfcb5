// Tells a screen reader what comes in.

import { speaker, spoken } from './line.js';
import { words } from './words.js';

/** An announcement stays this long for a reader's queue. */
const ANNOUNCEMENT = 5_000;

/** Gives a screen reader each new message once; of restored ones only the count. */
export function announce(events, isRestored) {
  if (!events.length) {
    return;
  }
  const texts = isRestored
    ? [words.fresh(events.length)]
    : events.map((event) => words.said(speaker(event), spoken(event)));
  const nodes = texts.map((text) => {
    const node = document.createElement('p');
    node.textContent = text;
    return node;
  });
  document.getElementById('announcer').append(...nodes);
  setTimeout(() => nodes.forEach((node) => node.remove()), ANNOUNCEMENT);
}
