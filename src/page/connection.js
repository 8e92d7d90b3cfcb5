// Connects the stream, the tabs and the request that makes a customer: it knows who the customer
// is, whether events come, and which tab they come from. A customer begins with their first act,
// never with a page load; until then nothing is kept and nothing is requested. Other modules read
// the events.
//
//   opening ── events ──▶ known          opening ── 401 ──▶ fresh ── first act ──▶ opening
//   any ── the customer leaves ──▶ fresh
//
// A browser remembers whether it has a customer. Without one it starts as `fresh`, without a
// request.

import { Backoff, insist, Pause, post } from './api.js';
import { embedder } from './embedder.js';
import { Identity } from './identity.js';
import { store } from './store.js';
import { Stream } from './stream.js';
import { Tabs } from './tabs.js';
import { numberOf } from './talk.js';
import { token } from './token.js';

/** Whether this browser has a customer. Their token is in a cookie that no script can read. */
const KEPT = 'customer';
/** The storage name for: a customer has left, and the gateway does not know it yet. */
const LEAVING = 'leaving';

/** A leading tab that the gateway refuses tries again after one to two times this. */
const CROWDED = 20_000;

export class Connection {
  /** `'opening'`, `'fresh'` (a customer who has not begun) or `'known'`. */
  phase = 'opening';
  /** When events stopped coming, by this page's clock, or null while they come. */
  downSince = Date.now();
  /** `'customers'`, `'begin'`, `'crowded'` or null: what keeps the customer out. */
  problem = null;
  /** The conversation that the gateway named when the customer began. */
  conversation = null;

  #hooks;
  #tabs;
  #stream;
  #backoff = new Backoff(2_000, 30_000);
  #isWanted = false;
  #isBeginning = false;
  #hasBegun = false;
  #pause = new Pause();
  #waiters = [];
  #identity = new Identity((begun) => this.#replaceEverywhere(begun));
  /** A promise that resolves when the gateway knows that a customer has left. */
  #leaving = null;
  /** The counter of the latest event at the time of reconnecting; null if that is not known. */
  #restoresTo = null;

  /**
   * `hooks`: `after()` returns the id of the latest known event and `snapshot()` all that is known;
   * `hear(events, isRestored)` takes events; `forget()` says that the customer is unknown, and
   * `left()` that another customer is here now; `told(message)` takes what another tab told;
   * `changed()` says that a field above changed.
   */
  constructor(hooks) {
    this.#hooks = hooks;
    this.#stream = new Stream({
      after: hooks.after,
      hear: (events) => this.#hear(events),
      up: () => this.#up(),
      down: () => this.#down(),
      unknown: () => this.#unknown(),
      full: () => this.#full(),
    });
    this.#tabs = new Tabs({
      lead: () => {
        // Who has not begun has no token to read with yet.
        if (this.phase !== 'fresh' && !this.#isBeginning) {
          this.#stream.start();
        }
      },
      follow: () => this.#stream.stop(),
      beat: () => this.#pulse(),
      hear: (message) => this.#told(message),
    });
  }

  /** `pass` carries a customer over from a frame. */
  start(pass) {
    if (pass) {
      this.#carryOver(pass);
    }
    if (store.read(LEAVING)) {
      this.#leaving = this.#tellLeaving();
    }
    if (store.canRead && !store.read(KEPT)) {
      this.phase = 'fresh';
    }
    this.#tabs.start();
    const refresh = () => this.#refresh();
    addEventListener('online', refresh);
    addEventListener('pageshow', ({ persisted }) => persisted && refresh());
    document.addEventListener('resume', refresh);
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') {
        refresh();
      }
    });
    addEventListener('offline', this.#hooks.changed);
  }

  /** Tells the other tabs. */
  tell(message) {
    this.#tabs.tell(message);
  }

  /** Whether this tab reads the stream for the others. */
  get leads() {
    return this.#tabs.leads;
  }

  /** Whether the shop knows who the customer is. */
  get isIdentified() {
    return this.#identity.isThere;
  }

  /** Tells the gateway which page the customer is on. The gateway keeps that only in memory. */
  tellPage() {
    if (this.phase === 'known') {
      post('page', embedder.page);
    }
  }

  /** The shop's backend says who the customer is. */
  identify(signed) {
    if (this.#identity.isOther(signed)) {
      // Nothing of the other customer stays here, not even a waiting line.
      const isWanted = this.#isWanted;
      this.leave();
      if (isWanted) {
        this.want();
      }
    }
    this.#identity.keep(signed);
    this.#tellIdentity();
  }

  #tellIdentity() {
    if (this.phase === 'known') {
      this.#identity.tell();
    }
  }

  async #carryOver(pass) {
    const { status, body } = await post('begin', { pass, page: embedder.page, keep: token.way });
    if (status === 200) {
      this.#replaceEverywhere(body);
    }
  }

  #replaceEverywhere({ conversation, token: given }) {
    this.tell({ kind: 'replaced', conversation });
    this.#replace(conversation, given ?? null);
  }

  /** Another customer is here now, in this tab as in others. */
  #replace(conversation, given) {
    this.#dropAll();
    if (given) {
      token.keep(given);
    }
    this.#open(conversation);
  }

  #dropAll() {
    this.#stream.stop();
    this.#hooks.left();
    this.#forget();
  }

  /** The customer leaves: from now on nothing of them is shown or kept, in any tab. */
  leave() {
    this.#identity.clear();
    if (this.phase !== 'fresh') {
      store.write(LEAVING, true);
      this.#leaving = this.#tellLeaving();
      this.tell({ kind: 'left' });
    }
    token.keep(null);
    this.#dropAll();
  }

  async #tellLeaving() {
    await insist('logout', {});
    store.write(LEAVING, null);
  }

  /** The customer acts: from now on they are a customer. */
  want() {
    this.#isWanted = true;
    if (this.phase === 'fresh') {
      this.#begin();
    }
  }

  /** The customer does not want to wait for the page's next attempt. */
  again() {
    this.#pause.end();
  }

  /** A promise that resolves to the customer's conversation. */
  begun() {
    this.want();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#settle();
    });
  }

  #settle() {
    if (this.conversation) {
      this.#waiters.splice(0).forEach((resolve) => resolve(this.conversation));
    }
  }

  #set(fields) {
    const isChange = Object.entries(fields).some(([name, value]) => this[name] !== value);
    Object.assign(this, fields);
    if (isChange) {
      this.#hooks.changed();
      this.#tellIdentity();
    }
  }

  // The stream of this tab.

  #up() {
    if (this.downSince !== null) {
      this.#restoresTo = null;
      const isFirst = this.#hasBegun;
      // From now on a 401 means that the token is gone.
      this.#hasBegun = false;
      this.#set({ downSince: null, phase: 'known', problem: null });
      if (!isFirst) {
        // A gateway that was started again has forgotten the page that `begin` named.
        this.tellPage();
      }
      this.#pulse();
    }
  }

  #down() {
    if (this.downSince === null) {
      this.#set({ downSince: Date.now() });
      this.#pulse();
    }
  }

  #hear(events) {
    const now = events.find(({ event }) => event === 'now');
    const isReset = events.some(({ event }) => event === 'reset');
    if (now && (isReset || this.#restoresTo === null)) {
      this.#restoresTo = now.last;
    }
    const isNew = ({ id }) => id && numberOf(id) > (this.#restoresTo ?? Infinity);
    const found = events.findIndex(isNew);
    const split = found < 0 ? events.length : found;
    this.#pass(events.slice(0, split), true);
    this.#pass(events.slice(split), false);
  }

  #pass(events, isRestored) {
    if (!events.length) {
      return;
    }
    const after = this.#hooks.after();
    this.#note(events);
    this.#hooks.hear(events, isRestored);
    // Pings are passed on, too: a hidden tab's timers are slow, and the others must hear from the
    // leader.
    this.tell({ kind: 'events', events, after, isRestored, isLeader: true });
  }

  #note(events) {
    const now = events.findLast(({ event }) => event === 'now');
    if (now) {
      this.conversation = now.conversation;
      this.#settle();
    }
  }

  #unknown() {
    if (this.#hasBegun) {
      // The cookie was set a moment ago and did not come back.
      token.isCookieLost = true;
      this.#hasBegun = false;
      this.#begin();
      return;
    }
    token.keep(null);
    this.#forget();
    this.#pulse();
    if (this.#isWanted) {
      this.#begin();
    }
  }

  #forget() {
    if (this.phase === 'known') {
      // The customer must act again before a new attempt to begin.
      this.#isWanted = false;
    }
    this.conversation = null;
    store.write(KEPT, null);
    this.#hooks.forget();
    this.#set({ phase: 'fresh' });
  }

  #full() {
    if (this.#tabs.areJoined) {
      this.#set({ problem: 'crowded' });
      setTimeout(() => {
        if (this.#tabs.leads) {
          this.#stream.start();
        }
      }, CROWDED * (1 + Math.random()));
    } else {
      this.#tabs.listen();
    }
  }

  async #begin() {
    if (this.#isBeginning) {
      return;
    }
    this.#isBeginning = true;
    this.#set({ phase: 'opening', downSince: Date.now() });
    await this.#leaving;
    for (;;) {
      // A tab that asks later sends the token of the first tab, and so gets the same customer.
      const answer = await this.#tabs.alone(askToBegin);
      if (answer.status === 200) {
        this.#backoff.reset();
        this.tell({ kind: 'begun', conversation: answer.body.conversation });
        this.#open(answer.body.conversation);
        break;
      }
      this.#set({ problem: answer.reason === 'customers' ? 'customers' : 'begin' });
      await this.#pause.wait(this.#backoff.next(answer.wait));
    }
    this.#isBeginning = false;
  }

  /** There is a token now: the leading tab reads the stream with it. */
  #open(conversation) {
    this.conversation = conversation;
    store.write(KEPT, true);
    this.#set({ phase: 'opening', problem: null });
    this.#settle();
    if (this.#tabs.leads) {
      this.#hasBegun = true;
      this.#stream.start();
    }
  }

  #refresh() {
    this.#pause.end();
    if (this.#tabs.leads) {
      this.#stream.refresh();
    } else {
      this.tell({ kind: 'refresh' });
      this.tell({ kind: 'hello' });
    }
    this.#hooks.changed();
  }

  // Other tabs.

  #pulse(more = { kind: 'pulse' }) {
    const { phase, downSince } = this;
    this.tell({ ...more, phase, isUp: downSince === null, isLeader: true });
  }

  #told(message) {
    const { kind, from } = message;
    if (this.#tabs.leads) {
      if (kind === 'hello') {
        this.#pulse({ kind: 'snapshot', to: from, events: this.#hooks.snapshot() });
      } else if (kind === 'refresh') {
        this.#stream.refresh();
      }
    } else if (message.isLeader && (message.to ?? this.#tabs.id) === this.#tabs.id) {
      this.#follow(message);
    }
    if (kind === 'begun' && this.phase === 'fresh') {
      this.#open(message.conversation);
    }
    if (kind === 'left') {
      this.#identity.drop();
      this.#dropAll();
    }
    if (kind === 'replaced') {
      this.#replace(message.conversation, null);
    }
    this.#hooks.told(message);
  }

  /** Takes a message of the leading tab. */
  #follow({ kind, events, after, isRestored, phase, isUp }) {
    if ((this.phase === 'fresh' || this.#isBeginning) && !store.read(KEPT)) {
      // That tab does not know yet that the customer has left.
      return;
    }
    if (kind === 'events') {
      const last = this.#hooks.after();
      this.#set({ phase: 'known', downSince: null, problem: null });
      this.#take(events, isRestored);
      if (after !== last) {
        this.tell({ kind: 'hello' });
      }
      return;
    }
    if (phase === 'fresh') {
      if (this.phase !== 'fresh' && !this.#isBeginning) {
        this.#forget();
      }
      if (this.#isWanted) {
        this.#begin();
      }
      return;
    }
    if (kind === 'snapshot' && events.length > 1) {
      const known = events.findIndex(({ id }) => id && id === this.#hooks.after());
      const isNew = ({ event }, index) => index > known || event === 'now';
      this.#take(known < 0 ? events : events.filter(isNew), true);
    }
    const downSince = isUp ? null : (this.downSince ?? Date.now());
    this.#set({ phase, downSince, problem: isUp ? null : this.problem });
  }

  #take(events, isRestored) {
    this.#note(events);
    this.#hooks.hear(events, isRestored);
  }
}

/** Asks the gateway for a customer. The answer has no token if the token of the request is valid. */
async function askToBegin() {
  const keep = token.way;
  const answer = await post('begin', { page: embedder.page, keep });
  if (answer.status === 200 && (answer.body.token || keep !== 'token')) {
    token.keep(answer.body.token ?? null);
  }
  return answer;
}
