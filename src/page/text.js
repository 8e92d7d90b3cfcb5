// Turns the text of a message into blocks (plain data), and the blocks into DOM nodes.
//
// Everybody's text gets links. A bot's text also gets a small safe subset of Markdown: **strong**,
// *emphasis* and _emphasis_, `code`, fenced code, lists, and [label](https://…). Anything else
// stays as it was typed. Marks inside a word or an address are never Markdown.
//
// A link is an http or https address without a user name. A label always shows the host that it
// leads to. The result is data and text nodes, so no text can become markup.

import { link, make } from './dom.js';

/**
 * Characters that end an address: blanks, marks that change the direction of text or have no width,
 * quotes, and the punctuation of other scripts.
 */
const ENDS = String.raw`\s\p{Cc}\p{Cf}\p{Pi}\p{Pf}<>"\x60\\|^` +
  // Low quotes, and the Arabic, Devanagari and general punctuation.
  String.raw`\u060c\u061b\u061f\u0964\u2014\u201a\u201e\u2026` +
  // Punctuation and brackets of Chinese and Japanese text, full-width and half-width.
  String.raw`\u3001-\u3003\u3008-\u3011\u3014-\u301f\u30fb` +
  String.raw`\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65`;
const ADDRESS = new RegExp(`https?://[^${ENDS}]+`, 'giu');
const LABELLED =
  /!?\[([^[\]\n]{1,300})\]\((https?:\/\/[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)\)/iuy;
const WORD = /[\p{L}\p{N}_]/u;
/** Scripts that set no blanks between words: a `*` next to their letters may be Markdown. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
/** Signs at the end that belong to the sentence around an address. */
const TRAILING = /[.,;:!?'*_~([{]+$/;
const PAIRS = { ')': '(', ']': '[', '}': '{' };

/**
 * The blocks of a text: `{kind: 'paragraph', inline}`, `{kind: 'list', start, items}` (`start` is
 * `null` without numbers) and `{kind: 'code', text}`. An inline part is `{kind: 'text', text}`,
 * `{kind: 'code', text}`, `{kind: 'link', href, label, host}` (`host` only where the label does
 * not show it) or `{kind: 'strong' | 'em', inline}`.
 */
export function parse(text, { markup = false } = {}) {
  if (!markup) {
    return [{ kind: 'paragraph', inline: withLinks(text) }];
  }
  return blocks(text.replace(/\r\n?/g, '\n').split('\n'));
}

/** The blocks as DOM nodes. */
export function draw(parsed) {
  const drawn = document.createDocumentFragment();
  for (const block of parsed) {
    drawn.append(drawBlock(block));
  }
  return drawn;
}

/** The address as a URL, if a link may lead there. */
export function safeUrl(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    // An address that is no URL is shown as text.
    return null;
  }
  const isWeb = url.protocol === 'http:' || url.protocol === 'https:';
  // A user name in an address pretends to be the host: https://bank.example@evil.example/
  const isPlain = !url.username && !url.password && /[\p{L}\p{N}]/u.test(url.hostname);
  return isWeb && isPlain ? url : null;
}

function drawBlock(block) {
  switch (block.kind) {
    case 'code':
      return make('pre', { tabindex: '0' }, make('code', { dir: 'ltr' }, block.text));
    case 'list': {
      const items = block.items.map((item) => make('li', {}, ...item.map(drawInline)));
      const tag = block.start === null ? 'ul' : 'ol';
      return make(tag, { start: block.start > 1 ? block.start : null }, ...items);
    }
    default:
      return make('p', {}, ...block.inline.map(drawInline));
  }
}

function drawInline(part) {
  switch (part.kind) {
    case 'code':
      return make('code', {}, part.text);
    case 'link': {
      const host = part.host && make('span', { class: 'host' }, ` (${part.host})`);
      return link(part.href, {}, make('bdi', {}, part.label), host);
    }
    case 'strong':
    case 'em':
      return make(part.kind, {}, ...part.inline.map(drawInline));
    default:
      return part.text;
  }
}

// Blocks.

function blocks(lines) {
  const found = [];
  let open = [];
  const close = () => {
    if (open.some((line) => line.trim())) {
      found.push({ kind: 'paragraph', inline: inline(open.join('\n').trim()) });
    }
    open = [];
  };
  for (let at = 0; at < lines.length; ) {
    const block = fence(lines, at) ?? list(lines, at);
    if (block) {
      close();
      found.push(block.block);
      at = block.next;
    } else {
      if (lines[at].trim()) {
        open.push(lines[at]);
      } else {
        close();
      }
      at += 1;
    }
  }
  close();
  return found;
}

function fence(lines, at) {
  if (!/^\s{0,3}```[\w+-]*\s*$/.test(lines[at])) {
    return null;
  }
  const end = lines.findIndex((line, index) => index > at && /^\s{0,3}```\s*$/.test(line));
  // Without a closing fence the marks stay as they were typed.
  const text = lines.slice(at + 1, end).join('\n');
  return end < 0 ? null : { block: { kind: 'code', text }, next: end + 1 };
}

function list(lines, at) {
  const read = (line) => /^\s*(?:[-*]|(\d{1,9})[.)])\s+(\S.*)$/.exec(line ?? '');
  const first = read(lines[at]);
  if (!first) {
    return null;
  }
  const isNumbered = first[1] !== undefined;
  const items = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const item = read(lines[next]);
    if (item && (item[1] !== undefined) === isNumbered) {
      items.push(item[2]);
    } else if (!item && /^\s{2,}\S/.test(lines[next])) {
      items.push(`${items.pop()}\n${lines[next].trim()}`);
    } else {
      break;
    }
  }
  const start = isNumbered ? Number(first[1]) : null;
  // A single line such as "3. December" is a sentence, not a list.
  if (isNumbered && start !== 1 && items.length < 2) {
    return null;
  }
  return { block: { kind: 'list', start, items: items.map(inline) }, next };
}

// Addresses.

/** The addresses in a text: `{start, end, url, host}`. */
function addresses(text) {
  const found = [];
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const isInWord = /[a-z0-9_]/i.test(text[match.index - 1] ?? '');
    const url = isInWord ? null : safeUrl(address);
    if (url) {
      const end = match.index + address.length;
      const isShown = authority(address).toLowerCase() === url.host;
      found.push({ start: match.index, end, url, host: isShown ? null : url.host });
    }
  }
  return found;
}

/** The address without signs that belong to the sentence around it. */
function trimmed(match) {
  let address = match;
  // Letters of another script right after the host are the next word: https://a.example谢谢
  const host = authority(address);
  const mixed = /^([a-z0-9-]+)[^\u0000-\u007f]/iu.exec(host.split('.').at(-1));
  if (mixed) {
    const kept = host.lastIndexOf('.') + 1 + mixed[1].length;
    address = address.slice(0, address.indexOf('//') + 2 + kept);
  }
  // A closing bracket belongs to the address only if its partner comes before it.
  const open = { '(': 0, '[': 0, '{': 0 };
  const end = Array.from(address).findIndex((letter) => {
    if (letter in open) {
      open[letter] += 1;
    }
    const partner = PAIRS[letter];
    return partner && (open[partner] -= 1) < 0;
  });
  return (end < 0 ? address : Array.from(address).slice(0, end).join('')).replace(TRAILING, '');
}

const authority = (address) => /^\w+:\/\/([^/?#]*)/.exec(address)?.[1] ?? '';

const asLink = (text, { start, end, url, host }) => ({
  kind: 'link',
  href: url.href,
  label: text.slice(start, end),
  host,
});

function withLinks(text) {
  const parts = [];
  let done = 0;
  for (const address of addresses(text)) {
    addText(parts, text.slice(done, address.start));
    parts.push(asLink(text, address));
    done = address.end;
  }
  addText(parts, text.slice(done));
  return parts;
}

function addText(parts, text) {
  const last = parts.at(-1);
  if (last?.kind === 'text') {
    last.text += text;
  } else if (text) {
    parts.push({ kind: 'text', text });
  }
}

// Markdown within a line.

function inline(text) {
  return nested(tokens(text));
}

/** The parts of a text and, between them, marks: `{kind: 'mark', text, opens, closes}`. */
function tokens(text) {
  const found = [];
  const links = addresses(text);
  for (let at = 0; at < text.length; ) {
    while (links.length && links[0].start < at) {
      links.shift();
    }
    const token = links[0]?.start === at
      ? { part: asLink(text, links[0]), end: links[0].end }
      : escaped(text, at) ?? code(text, at) ?? labelled(text, at) ?? mark(text, at);
    if (token) {
      found.push(token.part);
      at = token.end;
    } else {
      addText(found, text[at]);
      at += 1;
    }
  }
  return found;
}

function escaped(text, at) {
  const isEscape = text[at] === '\\' && '\\*_`['.includes(text[at + 1] ?? ' ');
  return isEscape ? { part: { kind: 'text', text: text[at + 1] }, end: at + 2 } : null;
}

function code(text, at) {
  if (text[at] !== '`' || text[at - 1] === '`') {
    return null;
  }
  const [ticks] = /`+/y.exec(text.slice(at));
  const end = text.indexOf(ticks, at + ticks.length);
  const inside = text.slice(at + ticks.length, end);
  if (end < 0 || !inside.trim() || inside.includes('\n\n')) {
    return null;
  }
  return { part: { kind: 'code', text: inside }, end: end + ticks.length };
}

function labelled(text, at) {
  LABELLED.lastIndex = at;
  const match = LABELLED.exec(text);
  const url = match && safeUrl(match[2]);
  if (!url) {
    return null;
  }
  const part = { kind: 'link', href: url.href, label: match[1], host: url.host };
  return { part, end: at + match[0].length };
}

function mark(text, at) {
  const sign = text[at];
  if (sign !== '*' && sign !== '_') {
    return null;
  }
  let end = at;
  while (text[end] === sign) {
    end += 1;
  }
  const run = text.slice(at, end);
  const [before, after] = [letterBefore(text, at), letterAt(text, end)];
  const isWord = (letter) => WORD.test(letter) && !(sign === '*' && UNSPACED.test(letter));
  // A longer run is a decorative line of stars. Two underscores belong to a name such as __init__.
  const isMark = run.length === 1 || run === '**';
  const opens = isMark && /\S/.test(after) && !isWord(before);
  const closes = isMark && /\S/.test(before) && !isWord(after);
  return { part: { kind: 'mark', text: run, opens, closes }, end };
}

const letterAt = (text, at) => (at < text.length ? String.fromCodePoint(text.codePointAt(at)) : '');
const letterBefore = (text, at) => Array.from(text.slice(Math.max(0, at - 2), at)).at(-1) ?? '';

/** Joins everything between two equal marks into one part. */
function nested(list) {
  const root = { inline: [] };
  const stack = [root];
  for (const token of list) {
    const top = stack.at(-1);
    if (token.kind !== 'mark') {
      add(top.inline, token);
      continue;
    }
    const level = token.closes ? stack.findLastIndex(({ text }) => text === token.text) : -1;
    if (level > 0 && stack[level].inline.length + stack.length - level > 1) {
      fold(stack, level + 1);
      const { inline } = stack.pop();
      const kind = token.text === '**' ? 'strong' : 'em';
      stack.at(-1).inline.push({ kind, inline });
    } else if (token.opens && stack.length < 16) {
      stack.push({ text: token.text, inline: [] });
    } else {
      addText(top.inline, token.text);
    }
  }
  fold(stack, 1);
  return root.inline;
}

/** Turns marks from `level` on back into text, because they have no partner. */
function fold(stack, level) {
  while (stack.length > level) {
    const { text, inline } = stack.pop();
    const { inline: outer } = stack.at(-1);
    addText(outer, text);
    for (const part of inline) {
      add(outer, part);
    }
  }
}

function add(parts, part) {
  if (part.kind === 'text') {
    addText(parts, part.text);
  } else {
    parts.push(part);
  }
}
