// Signs who a customer is, as docs/WEB.md has it: node sign.mjs KEYFILE USER

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

function sign(key, user, attributes) {
  const said = { user, expires: Math.floor(Date.now() / 1000) + 3600, attributes };
  const text = Buffer.from(JSON.stringify(said)).toString('base64url');
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

const [, , file, user] = process.argv;
console.log(sign(readFileSync(file, 'utf8').trim(), user, { plan: 'gold' }));
