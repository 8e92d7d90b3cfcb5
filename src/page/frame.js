// The chat in a frame on a shop's page: it can be closed, and opened in a tab of its own, which gets
// the conversation.

import { post } from './api.js';
import { embedder } from './embedder.js';

const byId = (id) => document.getElementById(id);

/** The chat in a frame can be closed, and opened in a tab of its own. */
export function startInFrame({ links }) {
  byId('close').hidden = byId('apart').hidden = false;
  byId('close').addEventListener('click', () => embedder.close());
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented && !event.isComposing) {
      embedder.close();
    }
  });
  document.addEventListener('click', (event) => {
    const href = event.target.closest('a[href]')?.href;
    if (links === 'same' && href && embedder.follow(href)) {
      event.preventDefault();
    }
  });
}

/** The link to a page of its own carries the conversation over, which has no cookie there. */
export async function refreshApart() {
  const { status, body } = embedder.isFramed ? await post('pass', {}) : {};
  byId('apart').href = status === 200 ? `chat#pass=${body.pass}` : 'chat';
}

/** The code behind such a link, which no longer stands in the address then. */
export function passOf({ hash, pathname, search }) {
  const pass = /^#pass=([\da-f]{32})$/.exec(hash)?.[1] ?? null;
  if (pass) {
    history.replaceState(null, '', pathname + search);
  }
  return pass;
}
