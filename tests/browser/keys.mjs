// For one test file: the key by which a shop signs identities, and the token by which a desk trusts
// the gateway.

import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEY = randomBytes(32).toString('hex');
const folder = mkdtempSync(join(tmpdir(), 'handoff-keys-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

function keep(name, text) {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

const IDENTITY = keep('identity', KEY);
const GATEWAY = keep('gateway', randomBytes(32).toString('hex'));

/** The options of gateway and desk for a scene whose customers are known to the shop. */
export const SIGNED = {
  web: ['--identity-keys', IDENTITY, '--gateway-token', GATEWAY],
  admin: ['--trust-gateway', GATEWAY],
};

/** Signs a customer's identity, as the backend of a shop does. */
export function sign(user, { attributes = {}, key = KEY, seconds = 3600 } = {}) {
  const said = { user, expires: Math.floor(Date.now() / 1000) + seconds, attributes };
  const text = Buffer.from(JSON.stringify(said)).toString('base64url');
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}
