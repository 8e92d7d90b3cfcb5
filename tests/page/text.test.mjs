// How src/page/text.js shows a message: which parts are links, which are Markdown, and which stay
// as they were typed. Run it by `node --test tests/page`.
//
// A case is a text and its form on the page: a link is <address>, followed by its label or its host
// if they differ; strong is [b …], emphasis [i …], code [c …], a list item [- …] or [1 …], a code
// block [pre …].

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse } from '../../src/page/text.js';

/** Texts of a bot. */
const MARKED = [
  // Marks inside words and addresses are no Markdown.
  ['order_no_7 and order_no_8', 'order_no_7 and order_no_8'],
  ['2*3*4 is 24', '2*3*4 is 24'],
  ['a * b * c', 'a * b * c'],
  ['a 5* hotel and a 4* hotel', 'a 5* hotel and a 4* hotel'],
  ['call __init__ first', 'call __init__ first'],
  ['https://a.example/x_y_z_', '<https://a.example/x_y_z>_'],
  ['https://a.example/*a*b', '<https://a.example/*a*b>'],
  ['***', '***'],
  ['an open *mark', 'an open *mark'],
  ['an open **mark and `tick', 'an open **mark and `tick'],
  // The subset.
  ['*one* and _two_', '[i one] and [i two]'],
  ['**Note:** it works', '[b Note:] it works'],
  ['**all *of* it**', '[b all [i of] it]'],
  ['**a *b** c', '[b a *b] c'],
  ['这是**重点**内容', '这是[b 重点]内容'],
  ['*https://a.example/x*', '[i <https://a.example/x>]'],
  ['run `a *b* c` now', 'run [c a *b* c] now'],
  ['\\*not this\\* and \\`not this\\`', '*not this* and `not this`'],
  ['two\nlines', 'two\nlines'],
  ['one\n\ntwo', 'one|two'],
  ['- a\n- b _c_', '[- a][- b [i c]]'],
  ['1. a\n2. b', '[1 a][1 b]'],
  ['3. December is a day', '3. December is a day'],
  ['```sh\na *b*\n```', '[pre a *b*]'],
  ['```\nnever closed', '```\nnever closed'],
  ['[our shop](https://a.example/x)', '<https://a.example/x our shop (a.example)>'],
  ['[https://bank.example](https://evil.example/)',
    '<https://evil.example/ https://bank.example (evil.example)>'],
  ['[a](javascript:alert(1))', '[a](javascript:alert(1))'],
  ['![cat](https://a.example/c.png)', '<https://a.example/c.png cat (a.example)>'],
];

/** Texts of people. */
const TYPED = [
  ['*as* `it` was _typed_', '*as* `it` was _typed_'],
  ['see https://a.example/x.', 'see <https://a.example/x>.'],
  ['(https://a.example/x), then', '(<https://a.example/x>), then'],
  ['https://a.example/Rust_(language)', '<https://a.example/Rust_(language)>'],
  ['(https://a.example/Rust_(language))', '(<https://a.example/Rust_(language)>)'],
  ['"https://a.example/x"!', '"<https://a.example/x>"!'],
  ['<https://a.example/x>', '<<https://a.example/x>>'],
  ['请看https://a.example/x。谢谢', '请看<https://a.example/x>。谢谢'],
  ['(见https://a.example/x)和', '(见<https://a.example/x>)和'],
  ['「https://a.example/x」、', '「<https://a.example/x>」、'],
  ['https://a.example谢谢', '<https://a.example/ https://a.example>谢谢'],
  ['https://a.example/日本',
    '<https://a.example/%E6%97%A5%E6%9C%AC https://a.example/日本>'],
  ['https://a.example/x؟ نعم', '<https://a.example/x>؟ نعم'],
  ['https://\u0430bc.example/',
    '<https://xn--bc-6kc.example/ https://\u0430bc.example/ (xn--bc-6kc.example)>'],
  ['https://bank.example@evil.example/', 'https://bank.example@evil.example/'],
  ['xhttps://a.example ftp://a.example javascript:alert(1)',
    'xhttps://a.example ftp://a.example javascript:alert(1)'],
  ['https:// and http://.', 'https:// and http://.'],
  ['HTTPS://A.example/B?c=[2]#e', '<https://a.example/B?c=[2]#e HTTPS://A.example/B?c=[2]#e>'],
  ['https://a.example/\u202egnp.exe', '<https://a.example/>\u202egnp.exe'],
  ['a\n  b', 'a\n  b'],
];

test('a bot may use a small subset of Markdown', () => check(MARKED, { markup: true }));

test("people's texts stay as typed, with links", () => check(TYPED, {}));

test('a text of 8 KiB is parsed in a blink, whatever it is made of', () => {
  const parts = ['*', '`', '[', '*a', '`a``', '[a](https://x(', 'https://a.example/', '- a\n'];
  parts.push('```\n', '_a ', ')');
  for (const part of parts) {
    const text = `https://a.example/${part.repeat(8_192 / part.length)}`;
    const begin = performance.now();
    parse(text, { markup: true });
    assert.ok(performance.now() - begin < 1_000, JSON.stringify(part));
  }
});

function check(cases, options) {
  for (const [text, shown] of cases) {
    assert.equal(show(parse(text, options)), shown, JSON.stringify(text));
  }
}

function show(blocks) {
  return blocks.map(showBlock).join('|');
}

function showBlock({ kind, inline, items, start, text }) {
  switch (kind) {
    case 'code':
      return `[pre ${text}]`;
    case 'list':
      return items.map((item) => `[${start === null ? '-' : 1} ${showAll(item)}]`).join('');
    default:
      return showAll(inline);
  }
}

const showAll = (parts) => parts.map(showPart).join('');

function showPart({ kind, text, href, label, host, inline }) {
  switch (kind) {
    case 'code':
      return `[c ${text}]`;
    case 'link':
      return `<${[href, label !== href && label, host && `(${host})`].filter(Boolean).join(' ')}>`;
    case 'strong':
      return `[b ${showAll(inline)}]`;
    case 'em':
      return `[i ${showAll(inline)}]`;
    default:
      return text;
  }
}
