// Chooses the one tab of this browser that reads the stream, and carries messages between tabs.
//
// The tab that holds a Web Lock leads. Another tab that hears nothing from the leader for 20 s
// takes the lock by `steal`, because a frozen tab keeps its lock. A browser without Web Locks
// (plain HTTP, blocked storage) has no leader: each tab reads by itself, up to the gateway's limit
// of streams. A tab beyond the limit gets the events from the other tabs. Other modules decide what
// a message means.

const NAME = 'handoff';
const TICK = 1_000;
/** The leading tab tells the others that it is there at every fifth tick. */
const BEAT = 5;
/** After this silence, and at most one tick more, a leader is replaced: after 20 s in all. */
const SILENCE = 19_000;
/** A tab whose tick comes later than this was asleep, or the browser slows it down. */
const LATE = 5_000;

export class Tabs {
  /** This tab's name for the other tabs. */
  id = crypto.getRandomValues(new Uint32Array(2)).join('-');
  /** Whether this tab reads the stream. */
  leads = false;

  #hooks;
  #channel = null;
  #locks = null;
  #queued = null;
  #heardAt = Date.now();
  #tickedAt = Date.now();
  #isWarned = false;
  #ticks = 0;

  /**
   * The `hooks`:
   * - `lead()` and `follow()` are called when this tab begins and stops to read the stream;
   * - `hear(message)` is called with each message of another tab;
   * - `beat()` is called every 5 s in a leading tab, to tell the others that it is there.
   */
  constructor(hooks) {
    this.#hooks = hooks;
    try {
      this.#channel = new BroadcastChannel(NAME);
      this.#locks = navigator.locks ?? null;
    } catch {
      // Storage is blocked: this tab is alone.
    }
  }

  start() {
    if (this.#channel) {
      this.#channel.onmessage = ({ data }) => this.#hear(data);
      setInterval(() => this.#tick(), TICK);
    }
    if (this.#channel && this.#locks) {
      this.#queue();
      this.tell({ kind: 'hello' });
    } else {
      this.#lead();
    }
  }

  /** Sends a message to all other tabs. */
  tell(message) {
    this.#channel?.postMessage({ ...message, from: this.id });
  }

  /** Calls `act` and returns its result. If the tabs are joined, only one tab does so at a time. */
  alone(act) {
    return this.#locks ? this.#locks.request(`${NAME}-alone`, act) : act();
  }

  /** Whether the tabs are joined: one tab can read for all. */
  get areJoined() {
    return this.#locks !== null;
  }

  /**
   * For tabs that are not joined: the gateway does not let this tab read. The tab listens to the
   * others instead, and tries to read again if they are silent.
   */
  listen() {
    this.#follow();
    this.#heardAt = Date.now() + Math.random() * SILENCE;
    this.tell({ kind: 'hello' });
  }

  #hear(message) {
    if (message.isLeader) {
      this.#heardAt = Math.max(this.#heardAt, Date.now());
      this.#isWarned = false;
    }
    this.#hooks.hear(message);
  }

  #tick() {
    const now = Date.now();
    const isLate = now - this.#tickedAt > LATE;
    this.#tickedAt = now;
    this.#ticks += 1;
    if (this.leads) {
      if (isLate || this.#ticks % BEAT === 0) {
        this.#hooks.beat();
      }
    } else if (now - this.#heardAt > SILENCE) {
      // This tab was asleep: messages of a healthy leader may still be on their way. Ask once.
      if (isLate && !this.#isWarned) {
        this.#isWarned = true;
        this.tell({ kind: 'hello' });
      } else {
        this.#takeOver();
      }
    }
  }

  #takeOver() {
    this.#heardAt = Date.now();
    if (this.#locks) {
      this.#queued.abort();
      this.#request({ steal: true });
    } else {
      this.#lead();
    }
  }

  /** Waits for the lock, until this tab steals it. */
  #queue() {
    this.#queued = new AbortController();
    this.#request({ signal: this.#queued.signal });
  }

  /** Asks for the lock, and holds it until another tab steals it. */
  async #request(options) {
    try {
      await this.#locks.request(NAME, options, () => {
        this.#lead();
        return new Promise(() => {});
      });
    } catch (error) {
      if (options.signal?.aborted) {
        return;
      }
      if (error.name !== 'AbortError') {
        // The browser has Web Locks but does not allow them here.
        this.#locks = null;
        this.#lead();
        return;
      }
      // Another tab stole the lock: this one follows and queues for it.
      this.#follow();
      this.tell({ kind: 'hello' });
      this.#queue();
    }
  }

  #lead() {
    if (!this.leads) {
      this.leads = true;
      this.#hooks.lead();
    }
  }

  #follow() {
    if (this.leads) {
      this.leads = false;
      // While this tab led, it did not note messages of a leader: the silence counts from now on.
      this.#heardAt = Date.now();
      this.#hooks.follow();
    }
  }
}
