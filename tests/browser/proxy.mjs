// A proxy between browsers and the gateway that can be told to misbehave as proxies in offices do.

import { EventEmitter, once } from 'node:events';
import { createServer, request } from 'node:http';

export class Proxy extends EventEmitter {
  /** `'pass'`, `'buffer'` (streams are held back for ever), `'cut'` (after 1 s) or `'refuse'`. */
  mode = 'pass';
  /** Files whose addresses begin like this are gone, as after an upgrade. */
  gone = null;
  /** How long files whose addresses end like this are on their way, in milliseconds. */
  slow = {};
  /** What browsers have from an earlier build, by path: `{type, text}`. The gateway is not asked for it. */
  kept = {};
  /** Headers that it adds to every answer. */
  headers = {};
  /** The streams that are open now, and every request: `HOLD` is a stream read by held requests. */
  streams = new Set();
  asked = [];

  #to = null;
  #server = null;

  static async start() {
    const proxy = new Proxy();
    proxy.#server = createServer((browser, answer) => proxy.#serve(browser, answer));
    await new Promise((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    proxy.origin = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  /** Where the gateway is. */
  lead(address) {
    this.#to = address;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** How many requests of this method for the stream came. */
  count(method) {
    return this.asked.filter((it) => it.startsWith(`${method} /api/stream`)).length;
  }

  /** Waits until something is true of the requests that came. */
  async until(isTrue) {
    while (!isTrue()) {
      await once(this, 'change');
    }
  }

  /** Ends the streams that are open, as a change of the mode does not. */
  cutStreams() {
    for (const answer of this.streams) {
      answer.destroy();
    }
  }

  #serve(browser, answer) {
    const isHeld = browser.url.startsWith('/api/stream')
      && browser.headers.accept === 'application/json';
    this.asked.push(`${isHeld ? 'HOLD' : browser.method} ${browser.url}`);
    this.emit('change');
    const kept = this.kept[browser.url.split('?')[0]];
    if (kept) {
      const headers = { 'content-type': kept.type, 'access-control-allow-origin': '*', 'cache-control': 'no-store' };
      answer.writeHead(200, headers).end(kept.text);
      return;
    }
    if (this.gone && browser.url.startsWith(this.gone)) {
      answer.writeHead(404).end();
      return;
    }
    if (this.mode === 'refuse') {
      answer.writeHead(502, { 'content-type': 'text/html' }).end('<h1>502 Bad Gateway</h1>');
      return;
    }
    const [, delay] = Object.entries(this.slow).find(([end]) => browser.url.endsWith(end)) ?? [];
    if (delay) {
      setTimeout(() => this.#forward(browser, answer), delay);
    } else {
      this.#forward(browser, answer);
    }
  }

  #forward(browser, answer) {
    const [host, port] = this.#to.split(':');
    const { method, url: path, headers } = browser;
    const onward = request({ host, port, method, path, headers }, (from) =>
      this.#pass(from, answer));
    onward.on('error', () => {
      if (answer.headersSent) {
        answer.destroy();
      } else {
        answer.writeHead(502).end();
      }
    });
    answer.on('close', () => onward.destroy());
    browser.pipe(onward);
  }

  #pass(from, answer) {
    const isStream = from.headers['content-type']?.startsWith('text/event-stream');
    if (isStream) {
      this.streams.add(answer);
      this.emit('change');
      answer.on('close', () => {
        this.streams.delete(answer);
        this.emit('change');
      });
    }
    if (isStream && this.mode === 'buffer') {
      from.resume();
      return;
    }
    answer.writeHead(from.statusCode, { ...from.headers, ...this.headers });
    from.pipe(answer);
    from.on('error', () => answer.destroy());
    if (isStream && this.mode === 'cut') {
      setTimeout(() => answer.destroy(), 1_000);
    }
  }
}
