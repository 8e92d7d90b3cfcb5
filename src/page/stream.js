// Reads the gateway's events for as long as it runs: the stream of server-sent events, read with
// `fetch`, or held requests where a proxy swallows streams. Answers pings, notices a dead stream,
// and comes back after random waits. Other modules decide what the events mean, and which tab
// reads.
//
//   read stream ── mute, or cut three times ──▶ hold requests ── after a while ──▶ read stream
//        └─ ended ─▶ wait ─▶ again        (`full` and an unknown token end the reading for good)

import { Backoff, open, Pause, post, waitOf } from './api.js';

/** The first event must come within this time, or a shorter one if requests were held before. */
const FIRST_EVENT = 5_000;
const FIRST_EVENT_IN_TRIAL = 4_000;
/** A stream is dead if nothing comes for two and a half times the time between pings. */
const SILENCE = 37_500;
/** The gateway holds a request for 25 s. */
const HOLD = 40_000;
/** A stream that lived for less than this counts as cut. */
const SHORT_LIFE = 10_000;
const CUTS = 3;
/** The first wait before a stream is tried again while requests are held; it doubles. */
const TRIAL = 60_000;
const LATEST_TRIAL = 16 * TRIAL;
/** The pause between two held requests that bring nothing new. */
const PACE = 3_000;
/** A stream that brought something within this time is alive. */
const FRESH = 3_000;

/** Cuts the bytes of a stream into events, as the standard for server-sent events says. */
export function eventReader() {
  const decoder = new TextDecoder();
  let rest = '';
  let fields = {};
  return (bytes) => {
    rest += decoder.decode(bytes, { stream: true });
    const events = [];
    // A carriage return at the end may be half of a line's end.
    const complete = /^[^]*(?:\n|\r(?!$))/.exec(rest)?.[0] ?? '';
    rest = rest.slice(complete.length);
    for (const line of complete.split(/\r\n|\r|\n/).slice(0, -1)) {
      if (line) {
        const [, name, value] = /^([^:]*):? ?([^]*)$/.exec(line);
        fields[name] = name === 'data' && 'data' in fields ? `${fields.data}\n${value}` : value;
      } else {
        if (fields.data) {
          const { data, event, id } = fields;
          events.push({ ...JSON.parse(data), event: event ?? 'message', ...(id && { id }) });
        }
        fields = {};
      }
    }
    return events;
  };
}

export class Stream {
  #hooks;
  #backoff = new Backoff(1_000, 30_000);
  #running = 0;
  #holds = false;
  #cuts = 0;
  #trial = TRIAL;
  #nextTrial = 0;
  #abort = null;
  #pause = new Pause();
  #heardAt = 0;
  /** The tag of the latest `now`, so that a held request waits for a newer one. */
  #tag = '';
  #pings = 0;

  /**
   * `hooks`: `after()` returns the id of the latest known event; `hear(events)` takes events;
   * `up()`, `down()`, `unknown()` (no token, or an unknown one) and `full()` report the connection.
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** Begins to read, if it does not read yet. */
  start() {
    if (!this.#running) {
      this.#running = Date.now() + Math.random();
      this.#run(this.#running);
    }
  }

  stop() {
    this.#running = 0;
    this.#end('stopped');
  }

  /** The page woke up or the network came back: a silent stream is replaced at once. */
  refresh() {
    if (Date.now() - this.#heardAt > FRESH) {
      this.#end('refresh');
    }
  }

  #end(why) {
    this.#abort?.abort(why);
    this.#pause.end();
  }

  async #run(run) {
    while (this.#running === run) {
      const isHeld = this.#holds && Date.now() < this.#nextTrial;
      const end = isHeld ? await this.#hold() : await this.#read();
      if (this.#running !== run) {
        break;
      }
      if (end.why === 'unknown' || end.why === 'full') {
        this.#running = 0;
        this.#hooks.down();
        this.#hooks[end.why]();
        return;
      }
      if (!isHeld) {
        this.#judge(end);
      }
      if (end.why !== 'held') {
        this.#hooks.down();
      }
      await this.#pause.wait(this.#waitAfter(end));
    }
    this.#hooks.down();
  }

  /** Decides from the end of a stream whether streams get through. */
  #judge({ why, life }) {
    if (why === 'refresh') {
      return;
    }
    const isShort = life !== null && life < SHORT_LIFE && why === 'cut';
    this.#cuts = isShort ? this.#cuts + 1 : 0;
    if (why === 'mute' || this.#cuts >= CUTS || (this.#holds && isShort)) {
      this.#trial = this.#holds ? Math.min(this.#trial * 2, LATEST_TRIAL) : TRIAL;
      this.#holds = true;
      this.#cuts = 0;
      this.#nextTrial = Date.now() + this.#trial;
    } else if (life !== null) {
      this.#holds = false;
    }
  }

  #waitAfter({ why, wait }) {
    switch (why) {
      case 'held':
      case 'mute':
      case 'refresh':
        return wait ?? 0;
      case 'bye':
        return Math.random() * (wait ?? 1) * 1000;
      default:
        return this.#backoff.next(wait);
    }
  }

  /** Reads one stream to its end. `life` is the time in which events came, or null if none came. */
  async #read() {
    let why = 'cut';
    let wait = 0;
    let firstAt = null;
    let timer;
    const stop = new AbortController();
    this.#abort = stop;
    const allow = (time) => {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(firstAt === null ? 'mute' : 'silent'), time);
    };
    allow(this.#holds ? FIRST_EVENT_IN_TRIAL : FIRST_EVENT);
    try {
      const answer = await open(this.#hooks.after(), 'text/event-stream', stop.signal);
      const refusal = refusalOf(answer, 'text/event-stream');
      if (refusal) {
        stop.abort('refused');
        return refusal;
      }
      const read = eventReader();
      const reader = answer.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) {
          break;
        }
        const events = read(value);
        if (events.length) {
          firstAt ??= Date.now();
          allow(SILENCE);
          const end = this.#hear(events);
          why = end?.event ?? why;
          wait = end?.retry ?? wait;
        }
      }
    } catch (error) {
      // The connection broke, or a timer or `#end` aborted it with the reason as a text.
      why = stop.signal.aborted ? stop.signal.reason : why;
      why = firstAt === null && why === 'cut' ? 'unreachable' : why;
    } finally {
      clearTimeout(timer);
    }
    const life = firstAt === null ? null : Date.now() - firstAt;
    return { why, wait, life };
  }

  /** Sends one held request. */
  async #hold() {
    const stop = new AbortController();
    const sentAt = Date.now();
    this.#abort = stop;
    const timer = setTimeout(() => stop.abort('silent'), HOLD);
    try {
      const answer = await open(this.#hooks.after(), 'application/json', stop.signal, this.#tag);
      const refusal = refusalOf(answer, 'application/json');
      if (refusal) {
        return refusal;
      }
      const { events } = await answer.json();
      const end = this.#hear(events);
      if (end) {
        return { why: end.event, wait: end.retry, life: null };
      }
      const isNew = events.some(({ id }) => id);
      const wait = isNew ? 0 : Math.max(0, sentAt + PACE - Date.now());
      return { why: 'held', wait, life: null };
    } catch {
      // As above: the connection broke, or the request was aborted.
      return { why: stop.signal.aborted ? stop.signal.reason : 'unreachable', life: null };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Passes events on. Returns the event that ends the reading, if one of them does. */
  #hear(events) {
    this.#heardAt = Date.now();
    this.#backoff.reset();
    this.#hooks.up();
    for (const { event, stream, tag } of events) {
      if (event === 'now') {
        this.#tag = tag;
      }
      if (event === 'ping') {
        this.#pings += 1;
        if (this.#pings % 2 === 1) {
          // A failure needs no handling: the gateway ends the stream then, and the page opens
          // another.
          post('here', { stream });
        }
      }
    }
    this.#hooks.hear(events);
    return events.find(({ event }) => event === 'bye' || event === 'full');
  }
}

/** Why an answer is of no use, or null. */
function refusalOf(answer, type) {
  if (answer.status === 401) {
    return { why: 'unknown', life: null };
  }
  if (!answer.ok || !answer.headers.get('content-type')?.startsWith(type)) {
    return { why: 'refused', wait: waitOf(answer), life: null };
  }
  return null;
}
