// The menu behind "More": sound, notifications, saving and printing. It opens by a press, closes by
// Escape or a press elsewhere, and gives the focus back.

import { words } from './words.js';

export class Menu {
  #opener = document.getElementById('more');
  #menu = document.getElementById('menu');
  #attention;
  #hooks;

  /** `hooks`: `save()` saves the transcript, `opened()` is called when the menu opens. */
  constructor(attention, hooks) {
    this.#attention = attention;
    this.#hooks = hooks;
    this.#opener.addEventListener('click', () => this.#toggle(this.#menu.hidden));
    const press = (id, act) => document.getElementById(id).addEventListener('click', act);
    press('sound', () => attention.toggleSound());
    press('notify', () => attention.toggleNotifications());
    press('save', () => this.#leave(hooks.save));
    press('print', () => this.#leave(() => print()));
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !this.#menu.hidden) {
        event.preventDefault();
        this.#leave(() => {});
      }
    });
    document.addEventListener('pointerdown', ({ target }) => {
      if (!this.#menu.hidden && !target.closest('.more')) {
        this.#toggle(false);
      }
    });
    this.#opener.parentElement.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget && !relatedTarget.closest('.more')) {
        this.#toggle(false);
      }
    });
    this.show();
  }

  /** Shows the present settings. */
  show() {
    const { hasSound, notifications } = this.#attention;
    const sound = document.getElementById('sound');
    sound.textContent = hasSound ? words.soundOn : words.soundOff;
    const notify = document.getElementById('notify');
    notify.hidden = notifications === null;
    notify.disabled = notifications === 'denied';
    notify.textContent =
      { on: words.notifyOn, denied: words.notifyDenied }[notifications] ?? words.notifyOff;
  }

  #toggle(isOpen) {
    this.#menu.hidden = !isOpen;
    this.#opener.setAttribute('aria-expanded', isOpen);
    if (isOpen) {
      this.#hooks.opened();
      this.#menu.querySelector('button').focus({ preventScroll: true });
    }
  }

  #leave(act) {
    this.#toggle(false);
    this.#opener.focus({ preventScroll: true });
    act();
  }
}
