// A shop's pages, served from another host than the gateway. Each page has the script line.

import { createServer } from 'node:http';

export class Shop {
  /** The pages, by path: `{head, body, headers}`, each of them optional. */
  pages = {};
  /** What comes in place of the script line, if it is not the plain one. */
  line = null;

  #server;

  /** `name` is a host name that leads to this machine. */
  static async start(name = 'localhost') {
    const shop = new Shop();
    shop.#server = createServer(({ url }, answer) => shop.#serve(url, answer));
    await new Promise((resolve) => shop.#server.listen(0, '127.0.0.1', resolve));
    shop.origin = `http://${name}:${shop.#server.address().port}`;
    return shop;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #serve(url, answer) {
    const { head = '', body = '', headers = {}, line = this.line } = this.pages[url] ?? {};
    answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers });
    answer.end(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop ${url}</title>
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <link rel="icon" href="data:,">${head}${line}</head>
      <body><h1>Shop</h1><p><a href="/other">Another page</a></p>${body}
      ${'<p>Some goods.</p>'.repeat(60)}</body></html>`);
  }
}
