// Sends the page's requests, makes their ids, and returns how each ended in one form. The callers
// decide whether and when to send a request again; `Backoff` says how long they wait.

import { token } from './token.js';

/** The base of the API, relative to the page: it works under any path of the gateway. */
const BASE = 'api/';
const PATIENCE = 15_000;
/** What all requests have in common. */
const OPTIONS = { cache: 'no-store', redirect: 'error' };

/** A new id for a request. It is made with the draft, so that a repeated request has the same id. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * The answer to a POST: `{status, body, reason, wait}`. `status` is 0 if there was none, `reason`
 * is the gateway's `error`, and `wait` says how many seconds it asks for.
 */
export const post = (name, body) =>
  ask(name, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...token.headers() },
    body: JSON.stringify(body),
    // A line that is on its way when the page is closed still arrives.
    keepalive: true,
  });

/** Sends a POST again and again until the answer is final, and returns that answer. */
export async function insist(name, body) {
  const backoff = new Backoff(1_000, 30_000);
  for (;;) {
    const answer = await post(name, body);
    if (!isTemporary(answer)) {
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, backoff.next(answer.wait)));
  }
}

/** The answer to a GET, in the same form. */
const get = (name) => ask(name, { headers: { accept: 'application/json', ...token.headers() } });

/** Opens a request of the stream; the caller reads the answer. */
export const open = (after, accept, signal, tag = '') =>
  fetch(`${BASE}stream?${new URLSearchParams({ ...(after && { after }), ...(tag && { now: tag }) })}`, {
    ...OPTIONS,
    headers: { accept, ...token.headers() },
    signal,
  });

/** The seconds of `Retry-After`, or 0. */
export const waitOf = (answer) => Number(answer.headers.get('retry-after')) || 0;

/** Whether the same request may succeed later. If not, the request must change first. */
export const isTemporary = ({ status }) =>
  status === 0 || status === 408 || status === 425 || status === 429 || status >= 500;

/** The events before number `n`, or null if they do not come. */
export async function pageBefore(n) {
  const { status, body } = await get(`entries?before=${n}`);
  return status === 200 ? body : null;
}

/** A wait that can be cut short. */
export class Pause {
  #end = () => {};

  /** Resolves after this time in milliseconds, or at `end`. */
  wait(time) {
    return new Promise((resolve) => {
      this.#end = resolve;
      setTimeout(resolve, time);
    });
  }

  end() {
    this.#end();
  }
}

/** Waits that grow from `least` to `most` milliseconds. Each is a random part of its full length. */
export class Backoff {
  #least;
  #most;
  #tries = 0;

  constructor(least, most) {
    this.#least = least;
    this.#most = most;
  }

  /** The next wait in milliseconds. It is at least `floor` seconds, which the gateway asked for. */
  next(floor = 0) {
    const reach = Math.min(this.#most, this.#least * 2 ** this.#tries);
    this.#tries += 1;
    return floor * 1000 + Math.random() * reach;
  }

  reset() {
    this.#tries = 0;
  }
}

async function ask(name, options) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE);
  try {
    const answer = await fetch(BASE + name, { ...OPTIONS, ...options, signal: stop.signal });
    const text = await answer.text();
    const body = parsed(text);
    // A proxy or a login page may answer 200 with something else than JSON.
    const status = answer.ok && text && body === null ? 502 : answer.status;
    return { status, body, reason: body?.error ?? null, wait: waitOf(answer) };
  } catch {
    // Status 0: there was no answer, or not in time.
    return { status: 0, body: null, reason: null, wait: 0 };
  } finally {
    clearTimeout(timer);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
