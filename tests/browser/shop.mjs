// A shop's pages, served from another host than the gateway's. Each page has the script line.

import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';

export class Shop {
  /** The pages, by path: `{head, body, line, headers}`, each of them optional. */
  pages = {};
  /** The origin of the gateway. */
  gateway = null;
  /** The attributes of the script line. */
  attributes = 'async';
  /** Every request that came. */
  asked = [];

  #server;

  /** `name` is its host name; with a certificate it speaks HTTPS, and browsers must be told where. */
  static async start(name, certificate) {
    const shop = new Shop();
    const serve = ({ url }, answer) => shop.#serve(url, answer);
    shop.#server = certificate ? createSecureServer(certificate, serve) : createServer(serve);
    await new Promise((resolve) => shop.#server.listen(0, '127.0.0.1', resolve));
    const { port } = shop.#server.address();
    shop.address = `127.0.0.1:${port}`;
    shop.origin = certificate ? `https://${name}` : `http://${name}:${port}`;
    return shop;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** The script line. */
  get line() {
    return `<script src="${this.gateway}/widget.js" ${this.attributes}></script>`;
  }

  #serve(url, answer) {
    this.asked.push(url);
    const { head = '', body = '', line = this.line, headers = {} } = this.pages[url] ?? {};
    answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers });
    answer.end(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop ${url}</title>
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <link rel="icon" href="data:,">${head}${line}</head>
      <body><main><h1>Shop</h1><p><a href="/other">Another page</a></p>${body}
      ${'<p>Some goods.</p>'.repeat(60)}</main></body></html>`);
  }
}
