// Makes a text file of the transcript, and hands it to the browser to save. Its sentences are those
// of the page.

import { changeText, dayOf, speaker, timeText } from './line.js';
import { words } from './words.js';

/** The transcript as text, one message after another. */
export function asText(events, now) {
  const lines = [];
  let previous = {};
  for (const event of events) {
    const at = new Date(event.at);
    const { day } = dayOf(at, now);
    if (day !== previous.day) {
      lines.push('', `== ${at.toISOString().slice(0, 10)} ==`);
    }
    if (previous.conversation && previous.conversation !== event.conversation) {
      lines.push('', `-- ${words.newConversation} --`);
    }
    const text = event.event === 'message' ? messageText(event) : changeText(event);
    if (text) {
      const who = event.event === 'message' ? words.said(speaker(event), text) : `(${text})`;
      lines.push(`[${timeText(at)}] ${who}`);
    }
    previous = { day, conversation: event.conversation };
  }
  return `${lines.join('\n').trim()}\n`;
}

/** Lets the browser save the text. */
export function saveText(text, now) {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
  const anchor = document.createElement('a');
  anchor.href = address;
  anchor.download = words.fileName(new Date(now).toISOString().slice(0, 10));
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function messageText({ text, image, custom, buttons = [] }) {
  const parts = [text];
  if (image && image !== text) {
    parts.push(image);
  }
  if (custom !== undefined) {
    parts.push(JSON.stringify(custom));
  }
  for (const { title, choice, url } of buttons) {
    parts.push(`  ${choice ? `${choice}) ` : ''}${title}${url ? ` ${url}` : ''}`);
  }
  return parts.filter(Boolean).join('\n');
}
