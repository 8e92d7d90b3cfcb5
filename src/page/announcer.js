// Announces new messages to a screen reader.

import { speaker, spoken } from './line.js';
import { words } from './words.js';

/** How long an announcement stays, in milliseconds, so that a reader can queue it. */
const ANNOUNCEMENT = 5_000;

/** Announces each new message once. Of restored messages it announces only the number. */
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
