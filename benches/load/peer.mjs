// The same requests as `sse.rs` answers, in node: a peer of the gateway, without a journal.

import { createServer } from 'node:http';

const customers = [];

const server = createServer((request, response) => {
  const token = (request.headers.authorization ?? '').slice('Bearer '.length);
  const customer = customers[parseInt(token, 16)];
  if (request.url === '/api/stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(customer.events.join('') || '\n');
    customer.streams.add(response);
    response.on('close', () => customer.streams.delete(response));
    return;
  }
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    let answer = {};
    if (request.url === '/api/begin') {
      const id = customers.length.toString(16).padStart(32, '0');
      customers.push({ events: [], streams: new Set() });
      answer = { conversation: id, token: id };
    } else {
      const { text } = JSON.parse(Buffer.concat(parts));
      const data = JSON.stringify({ event: 'message', author: 'user', text });
      const event = `id: ${customer.events.length + 1}\nevent: message\ndata: ${data}\n\n`;
      customer.events.push(event);
      customer.streams.forEach((stream) => stream.write(event));
    }
    const body = JSON.stringify(answer);
    const status = request.url === '/api/begin' ? 200 : 202;
    response.writeHead(status, {
      'content-type': 'application/json', 'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  });
});
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
