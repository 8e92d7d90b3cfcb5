// Calls the customer's attention to what arrives while they look elsewhere: the count in the title,
// a soft sound, a notification. Other modules decide what counts as an arrival. The text of a
// message goes into a notification as plain text.

import { embedder } from './embedder.js';
import { store } from './store.js';
import { words } from './words.js';

const SOUND = 'sound';
const NOTIFY = 'notify';

export class Attention {
  #unread = 0;
  #audio = null;
  #changed;

  /** `changed()` is called when a setting changes. */
  constructor(changed) {
    this.#changed = changed;
    addEventListener('focus', () => this.look());
    document.addEventListener('visibilitychange', () => this.look());
    // A browser lets a page make a sound only after a press or a key.
    const wake = () => this.#wake();
    addEventListener('pointerdown', wake, { once: true });
    addEventListener('keydown', wake, { once: true });
  }

  /** Whether the customer looks at this page now. */
  get isWatched() {
    return embedder.isShown && document.visibilityState === 'visible' && document.hasFocus();
  }

  get hasSound() {
    return store.read(SOUND, true);
  }

  /** `'on'`, `'off'`, `'denied'`, or null where there are no notifications, as in a frame. */
  get notifications() {
    if (!('Notification' in window) || window.top !== window || !window.isSecureContext) {
      return null;
    }
    if (Notification.permission === 'denied') {
      return 'denied';
    }
    return Notification.permission === 'granted' && store.read(NOTIFY) ? 'on' : 'off';
  }

  /** Messages arrived. `isRinging` is false if another tab rings or has the customer's attention. */
  arrive(events, isRinging) {
    if (!events.length || this.isWatched) {
      return;
    }
    this.#count(this.#unread + events.length);
    if (isRinging) {
      this.#ring();
      this.#notify(events.at(-1));
    }
  }

  /** Clears the unread count if the customer looks at the page now. */
  look() {
    if (this.isWatched) {
      this.clear();
    }
  }

  /** Counts messages that the customer did not see on an earlier page. They do not ring. */
  recall(count) {
    if (!this.isWatched) {
      this.#count(this.#unread + count);
    }
  }

  clear() {
    this.#count(0);
  }

  toggleSound() {
    store.write(SOUND, !this.hasSound);
    this.#ring();
    this.#changed();
  }

  async toggleNotifications() {
    const isOn = this.notifications === 'on';
    if (!isOn && Notification.permission === 'default') {
      await Notification.requestPermission();
    }
    store.write(NOTIFY, !isOn && Notification.permission === 'granted');
    this.#changed();
  }

  #count(unread) {
    this.#unread = unread;
    document.title = unread ? words.unread(unread, words.title) : words.title;
    embedder.tell('unread', { count: unread });
  }

  #wake() {
    try {
      this.#audio ??= new AudioContext();
      this.#audio.resume();
    } catch {
      // The browser has no sound. The title and the notification are enough.
    }
  }

  /** Two soft notes, a fifth apart. */
  #ring() {
    if (embedder.isFramed) {
      // A press on the page around the frame counts, too, so the sound may be allowed by now.
      this.#wake();
    }
    if (!this.hasSound || this.#audio?.state !== 'running') {
      return;
    }
    const start = this.#audio.currentTime;
    for (const [pitch, delay] of [[587.33, 0], [880, 0.12]]) {
      const tone = this.#audio.createOscillator();
      const volume = this.#audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0, start + delay);
      volume.gain.linearRampToValueAtTime(0.06, start + delay + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + delay + 0.5);
      tone.connect(volume).connect(this.#audio.destination);
      tone.start(start + delay);
      tone.stop(start + delay + 0.5);
    }
  }

  #notify({ author, name, text }) {
    if (this.notifications !== 'on') {
      return;
    }
    const title = author === 'admin' ? words.agent(name) : words.bot;
    try {
      const notification = new Notification(title, { body: text.slice(0, 200), tag: 'handoff' });
      notification.onclick = () => {
        window.focus();
        notification.close();
      };
    } catch {
      // Android allows notifications only from a service worker, so the setting is switched off.
      store.write(NOTIFY, null);
      this.#changed();
    }
  }
}
