// Saves what browsers get of a gateway's widget and frame, for upgrade.test.mjs. Start a gateway of
// the build to be saved with `--origin http://shop.example`, and then:
//
//     node tests/browser/save-build.mjs http://127.0.0.1:8080 tests/fixtures/widget/earlier.json

import { writeFileSync } from 'node:fs';

const [origin, file] = process.argv.slice(2);
const files = {};

/** Saves a file and all that it names. */
async function save(path) {
  const answer = await fetch(origin + path);
  const text = await answer.text();
  files[path] = { type: answer.headers.get('content-type'), text };
  const names = path.endsWith('.js') ? /['"`](\.\/[\w.]+\.js)['"`]/g : /"(assets\/[^"]+)"/g;
  for (const [, name] of text.matchAll(names)) {
    const { pathname } = new URL(name, origin + path);
    if (!files[pathname]) {
      await save(pathname);
    }
  }
}

for (const path of ['/widget.js', '/panel.js', '/frame']) {
  await save(path);
}
const chat = Object.keys(files).find((path) => path.endsWith('/chat.js'));
await save(chat.replace('chat.js', 'words.en.js'));
writeFileSync(file, `${JSON.stringify(files, null, 1)}\n`);
