// The chat in a frame on a shop's page. The customer can close it, or open it in a tab of its own
// with the same conversation.

import { post } from './api.js';
import { embedder } from './embedder.js';

const byId = (id) => document.getElementById(id);

/** Makes the buttons of a chat in a frame: to close it, and to open it in a tab of its own. */
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

/** Gets a new code for the link to a tab of its own. That tab does not share the frame's cookie. */
export async function refreshApart() {
  const { status, body } = embedder.isFramed ? await post('pass', {}) : {};
  byId('apart').href = status === 200 ? `chat#pass=${body.pass}` : 'chat';
}

/** The code in the address of such a tab. Removes it from the address. */
export function passOf({ hash, pathname, search }) {
  const pass = /^#pass=([\da-f]{32})$/.exec(hash)?.[1] ?? null;
  if (pass) {
    history.replaceState(null, '', pathname + search);
  }
  return pass;
}
