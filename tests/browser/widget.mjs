// What the tests of the widget do on a shop's page.

import { untilTrue } from './support.mjs';

/** The button of the widget. */
export const BUTTON = 'handoff-chat >>> .at:not([role])';

/** Waits until the button is there. */
export const untilButton = (page) => untilTrue(page, 'the button', () =>
  Boolean(document.querySelector('handoff-chat')?.shadowRoot.querySelector('button')));

/** Presses the button, and returns the frame once the chat in it can be used. */
export async function openPanel(page) {
  await untilButton(page);
  await (await page.$(BUTTON)).click();
  return untilPanel(page);
}

/** Waits until the panel is closed. */
export const untilClosed = (page) => untilTrue(page, 'the panel to close', () =>
  !document.querySelector('handoff-chat').shadowRoot.querySelector('.panel.open'));

/** Waits until a frame no longer has the focus, which a browser tells it a moment after the page. */
export const untilUnfocused = (frame) => untilTrue(frame, 'the focus to leave the chat', () => !document.hasFocus());

/** Waits until a frame has left its page. */
export async function untilGone(frame) {
  while (!frame.detached) {
    await frame.page().evaluate(() => true);
  }
}

/** The frame of the chat, once it is shown. */
export async function untilPanel(page) {
  await untilTrue(page, 'the panel', () =>
    Boolean(document.querySelector('handoff-chat')?.shadowRoot.querySelector('.panel.open')));
  return chatFrame(page);
}

/** The frame of the chat, shown or not. */
export async function chatFrame(page) {
  await untilTrue(page, 'the frame', () =>
    Boolean(document.querySelector('handoff-chat')?.shadowRoot.querySelector('iframe')));
  const frame = await page.waitForFrame((it) => it.url().includes('/frame?') && !it.detached);
  await untilTrue(frame, 'the chat', () => Boolean(document.querySelector('#close:not([hidden])')));
  return frame;
}

/** Waits until the button shows this many unread messages. */
export const untilUnread = (page, count) => untilTrue(page, `${count} unread`, (wanted) => {
  const shown = document.querySelector('handoff-chat').shadowRoot.querySelector('span');
  return (shown.hidden ? 0 : Number(shown.textContent)) === wanted
    && document.title.startsWith(wanted ? `(${wanted}) ` : 'Shop');
}, count);
