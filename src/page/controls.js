// Shows the present state around the transcript: the status, the notice above the input, and the
// buttons that make sense now. Other modules decide what a press does.

import { initial } from './line.js';
import { words } from './words.js';

/** A lost connection is shown after this time, in milliseconds. */
export const LOST = 5_000;
/** How long the page says that the connection is back. */
const BACK = 4_000;

const byId = (id) => document.getElementById(id);

export class Controls {
  #elements = {};
  #hooks;
  #wasLost = false;
  #backUntil = 0;

  /**
   * `hooks`: `ask(kind)` for `human`, `bot`, `end` and `stay`, `focus()` when a focused button goes.
   */
  constructor(hooks) {
    this.#hooks = hooks;
    for (const id of ['face', 'status', 'notice', 'action', 'dots', 'intro', 'input']) {
      this.#elements[id] = byId(id);
    }
    for (const kind of ['end', 'human', 'bot', 'stay']) {
      this.#elements[kind] = byId(kind);
      this.#elements[kind].addEventListener('click', () => hooks.ask(kind));
    }
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !this.#elements.stay.hidden) {
        event.preventDefault();
        hooks.ask('stay');
      }
    });
    this.#elements.action.addEventListener('click', () => this.#act?.());
  }

  #act = null;

  /**
   * `facts`: `phase`, `problem`, `downSince` of the connection; `state`, `agent`, `reason`, `now`
   * of the conversation; `asking`, the requests under way; `isEndAsked`, whether the customer is
   * asked about the end; `isEmpty`; `failure`, what did not work; `actions`, what the notice's
   * button does.
   */
  show(facts) {
    const { phase, state, asking, isEndAsked, now, isEmpty } = facts;
    const isKnown = phase === 'known' || !isEmpty;
    const { end, human, bot, stay, input, intro } = this.#elements;
    this.#setStatus(isKnown ? facts : { ...facts, state: 'bot' });
    this.#setNotice(noticeOf({ ...facts, back: this.#isBack(facts) }), facts);
    this.#toggle(end, !isEmpty && state !== 'closed' && !isEndAsked, asking.includes('end'));
    this.#toggle(human, !isKnown || state === 'bot', asking.includes('human'));
    this.#toggle(bot, isKnown && state === 'queued' && !isEndAsked, asking.includes('bot'));
    this.#toggle(stay, isEndAsked, false);
    human.classList.toggle('wanted', now?.bot === 'failed');
    intro.hidden = !isEmpty || phase === 'opening';
    this.#setDots(facts);
    const isOver = isKnown && state === 'closed';
    input.placeholder = isOver ? words.writeNew : words.write;
  }

  #setStatus({ state, agent, reason, now }) {
    let isHere = now?.on_hold ? words.onHold : words.isHere;
    if (now?.link === 'lost') {
      // Nobody knows whether the agent is still here: the status is the agent's name alone.
      isHere = words.agent;
    }
    const text = {
      bot: words.withBot,
      queued: now?.unattended ? words.nobodyHere(now.position) : words.waiting(now?.position),
      active: now?.left ? words.waiting() : isHere(agent),
      closed: words.closed(reason, agent),
    }[state];
    const { status, face } = this.#elements;
    if (status.textContent !== text) {
      status.textContent = text;
    }
    const who = now?.left ? 'queued' : ({ bot: 'bot', active: 'admin' }[state] ?? state);
    face.dataset.who = who;
    face.textContent = who === 'admin' ? initial(agent) : '';
  }

  /** Shows that the bot is working, or that the agent is typing. */
  #setDots({ state, now, agent, downSince }) {
    const isWorking = state === 'bot' && now?.bot === 'working';
    const isTyping = state === 'active' && Boolean(now?.typing);
    const { dots } = this.#elements;
    const face = dots.querySelector('.face');
    face.dataset.who = isTyping ? 'admin' : 'bot';
    face.textContent = isTyping ? initial(agent) : '';
    dots.hidden = downSince !== null || !(isWorking || isTyping);
  }

  #setNotice(notice, { actions }) {
    const { notice: shown, action } = this.#elements;
    const text = notice?.text ?? '';
    if (shown.textContent !== text) {
      shown.textContent = text;
    }
    shown.dataset.kind = notice?.kind ?? '';
    this.#act = notice?.action ? actions[notice.action] : null;
    this.#toggle(action, Boolean(notice?.action), false);
    if (notice?.action) {
      action.textContent = notice.label;
    }
  }

  /** Shows or hides a button. A button whose request is under way stays, but cannot be pressed. */
  #toggle(button, isShown, isBusy) {
    const hadFocus = document.activeElement === button;
    button.hidden = !isShown;
    button.setAttribute('aria-disabled', isBusy);
    if (hadFocus && !isShown) {
      this.#hooks.focus();
    }
  }

  #isBack({ downSince, phase }) {
    const isLost = phase === 'known' && downSince !== null && Date.now() - downSince >= LOST;
    if (this.#wasLost && !isLost && downSince === null) {
      this.#backUntil = Date.now() + BACK;
    }
    this.#wasLost = isLost || (this.#wasLost && downSince !== null);
    return Date.now() < this.#backUntil;
  }
}

/** The most urgent notice of all that apply now: `{kind, text, action, label}`, or null. */
function noticeOf(facts) {
  const { phase, problem, downSince, state, now, asking, failure, back, agent } = facts;
  const { isEndAsked, isKept, endsWithPage } = facts;
  if (isEndAsked) {
    return { kind: 'ask', text: words.reallyEnd, action: 'end', label: words.end };
  }
  const entry = {
    customers: words.customers,
    begin: words.cannotBegin,
  }[problem];
  if (entry) {
    return { kind: 'bad', text: entry, action: 'begin', label: words.again };
  }
  if (phase !== 'fresh' && downSince !== null && Date.now() - downSince >= LOST) {
    const text = navigator.onLine ? words.lost : words.offline;
    return { kind: 'bad', text: problem === 'crowded' ? words.crowded : text };
  }
  if (back) {
    return { kind: 'good', text: words.isBack };
  }
  const [request] = asking;
  if (request) {
    return { text: { human: words.asking, bot: words.returning, end: words.ending }[request] };
  }
  if (failure) {
    return { kind: 'bad', text: failure };
  }
  const isWaiting = state === 'queued' || state === 'active';
  if (isWaiting && now?.link === 'lost') {
    return { kind: 'bad', text: words.deskLost(state === 'active' ? agent : null) };
  }
  if (state === 'bot' && now?.bot === 'slow') {
    return { text: words.slow };
  }
  if (state === 'bot' && now?.bot === 'failed') {
    return { kind: 'bad', text: words.failed, action: 'again', label: words.sayAgain };
  }
  if (state === 'closed') {
    return { text: words.nextBegins };
  }
  if (endsWithPage) {
    return { text: words.endsWithPage };
  }
  return isKept ? null : { text: words.notKept };
}
