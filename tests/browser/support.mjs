// A bot, a desk and a gateway as real processes, and a real browser. Every wait ends at an event or
// at its deadline. A failing test prints the output of every process.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as nextLook } from 'node:timers/promises';

import puppeteer from 'puppeteer-core';

import { Proxy } from './proxy.mjs';
import { Shop } from './shop.mjs';

const HANDOFF = process.env.HANDOFF ?? 'target/debug/handoff';
const PROGRAMS = { chrome: '/usr/bin/chromium', firefox: '/usr/bin/firefox-esr' };
const WITHIN = 40_000;

/** Fails after a while, and says what was waited for. */
export const inTime = (promise, what) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), WITHIN);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

/** One process that prints events. */
class Part {
  events = [];
  #waiting = [];
  #next = 0;

  constructor(...args) {
    this.child = spawn(HANDOFF, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.errors = '';
    this.child.stderr.on('data', (data) => { this.errors += data; });
    this.ended = new Promise((resolve) => this.child.on('exit', resolve));
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.events.push(JSON.parse(line));
      this.#waiting.splice(0).forEach((wake) => wake());
    });
  }

  /** The next event that fits. */
  async until(what, fits) {
    for (;;) {
      while (this.#next < this.events.length) {
        const event = this.events[this.#next++];
        if (fits(event)) {
          return event;
        }
      }
      await inTime(new Promise((resolve) => this.#waiting.push(resolve)), what);
    }
  }

  untilState = (state) => this.until(state, (it) => it.event === 'state' && it.state === state);
  untilText = (text) => this.until(text, (it) => it.text === text);

  say(line) {
    this.child.stdin.write(`${line}\n`);
  }

  async kill(signal = 'SIGKILL') {
    this.child.kill(signal);
    await this.ended;
  }
}

/** A certificate for these names, and its key. */
function makeCertificate(folder, names) {
  const [file, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-days', '2', '-subj', '/CN=test', '-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`,
    '-keyout', keyFile, '-out', file], { stdio: 'ignore' });
  return { file, keyFile, cert: readFileSync(file), key: readFileSync(keyFile) };
}

/** All that a customer and an agent need. */
export class Stage {
  /** The gateway's processes, one after the other. */
  gateways = [];

  /**
   * `agent` is the agent's name. `bot` is the URL of a bot of the test's own, in place of the
   * built-in one. `proxy` is what browsers reach the gateway through, `web` are further options of
   * the gateway, and `rate` is its `--rate`. `browser` is `chrome` or `firefox`, `flags` are further options
   * of it. `shop` is a host name: then there is a shop that may show the chat. `host` is the gateway's host name:
   * then gateway and shop speak HTTPS.
   */
  static async start({ agent = 'Robin', bot = null, proxy = null, web = [], rate = 200, admin = [], browser = 'chrome', flags = [],
    shop = null, host = null } = {}) {
    const stage = new Stage();
    stage.options = ['--rate', String(rate), ...web];
    stage.folder = mkdtempSync(join(tmpdir(), 'handoff-browser-'));
    stage.proxy = proxy;
    const certificate = host && makeCertificate(stage.folder, [host, shop]);
    if (shop) {
      stage.shop = await Shop.start(shop, certificate);
      stage.options.push('--origin', stage.shop.origin);
    }
    if (host) {
      stage.options.push('--url', `https://${host}`, '--tls-cert', certificate.file, '--tls-key', certificate.keyFile);
    }
    stage.botUrl = bot;
    if (!bot) {
      stage.bot = new Part('bot', '--listen', '127.0.0.1:0', '--json');
      stage.botUrl = `http://${(await stage.bot.until('ready', (it) => it.listen)).listen}`;
    }
    stage.desk = new Part('admin', '--listen', '127.0.0.1:0', '--json', '--name', agent,
      '--state', stage.folder, ...admin);
    stage.deskAddress = (await stage.desk.until('ready', (it) => it.listen)).listen;
    await stage.openGateway('127.0.0.1:0');
    stage.origin = host ? `https://${host}` : proxy?.origin ?? `http://${stage.address}`;
    if (shop) {
      stage.shop.gateway = stage.origin;
    }
    const rules = host && `MAP ${host} ${stage.address}, MAP ${shop} ${stage.shop.address}`;
    stage.browser = await puppeteer.launch({
      browser,
      executablePath: PROGRAMS[browser],
      acceptInsecureCerts: Boolean(host),
      args: browser === 'chrome' ? ['--no-sandbox', ...(rules ? [`--host-resolver-rules=${rules}`] : []), ...flags] : [],
    });
    return stage;
  }

  /** Starts the gateway, also again at the address that it had. */
  async openGateway(listen = this.address) {
    const reached = this.proxy ? ['--url', this.proxy.origin] : [];
    this.gateway = new Part('web', '--listen', listen, '--admin', this.deskAddress,
      '--bot', this.botUrl, '--json', '--state', this.folder, ...reached, ...this.options);
    this.gateways.push(this.gateway);
    this.address = (await this.gateway.until('ready', (it) => it.listen)).listen;
    this.proxy?.lead(this.address);
  }

  /** Opens the chat, and waits until it listens. What it must not do is in `page.faults`. */
  async open() {
    const page = await this.blank();
    await page.goto(`${this.origin}/chat`);
    await untilReady(page);
    return page;
  }

  /** Opens a page of the shop. */
  async visit(path = '/') {
    const page = await this.blank();
    await page.goto(this.shop.origin + path);
    return page;
  }

  /** An empty page that collects what it must not do. */
  async blank() {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(WITHIN);
    if (this.prepare) {
      await page.evaluateOnNewDocument(this.prepare);
    }
    page.faults = [];
    page.requests = [];
    page.console = [];
    page.on('console', (message) => page.console.push(message.text()));
    page.on('pageerror', (error) => page.faults.push(error.message));
    page.on('dialog', (dialog) => {
      page.faults.push(`dialog: ${dialog.message()}`);
      // A page with an open dialog answers nothing.
      dialog.dismiss().catch(() => {});
    });
    page.on('request', (request) => {
      page.requests.push(`${request.method()} ${new URL(request.url()).pathname}`);
      const isOwn = [this.origin, this.shop?.origin].includes(new URL(request.url()).origin);
      if (!isOwn && !request.url().startsWith('data:')) {
        page.faults.push(`request: ${request.url()}`);
      }
    });
    return page;
  }

  async end() {
    await this.browser.close();
    await Promise.all([this.gateway, this.desk, this.bot].map((part) => part?.kill()));
    this.proxy?.close();
    this.shop?.close();
    rmSync(this.folder, { recursive: true });
  }

  /** What every process said and every page shows, for a test that failed. */
  async report() {
    const said = (name, part) => `== ${name}\n${part.events.map((it) => JSON.stringify(it)).join('\n')}\n${part.errors}`;
    const parts = [...this.gateways.map((part) => said('gateway', part)), said('desk', this.desk)];
    for (const frame of (await this.browser.pages()).flatMap((page) => page.frames())) {
      const text = await frame.evaluate(() => `${document.title}\n${document.body.innerText}`).catch(String);
      parts.push(`== ${frame.url()}\n${text}`);
    }
    return parts.join('\n');
  }
}

/**
 * Runs a test on a stage of its own; what the page must not do fails it. `options.prepare` runs in
 * each page before its own scripts. `options.skip` says why it cannot run here.
 */
export function scene(name, play, options = {}) {
  const program = PROGRAMS[options.browser ?? 'chrome'];
  const skip = options.skip || (!existsSync(program) && `${program} is missing`);
  test(name, { timeout: 120_000, skip }, async (context) => {
    const proxy = options.proxy ? await Proxy.start() : null;
    const stage = await Stage.start({ ...options, proxy });
    stage.prepare = options.prepare;
    try {
      const page = options.shop ? await stage.blank() : await stage.open();
      await play(stage, page, context);
      assert.deepEqual(page.faults, []);
    } catch (error) {
      console.error(await stage.report());
      throw error;
    } finally {
      await stage.end();
    }
  });
}

/** Asks for a human, who takes the customer. */
export async function handOver(stage, page) {
  await say(page, 'I want to talk to a human');
  await untilStatus(page, 'Waiting for a human');
  await stage.desk.untilState('queued');
  stage.desk.say('/accept');
  await untilStatus(page, 'is here');
}

/** Waits until the chat listens. A browser has loaded a page before its scripts have run. */
const untilReady = (page) => untilTrue(page, 'the chat',
  () => document.querySelector('textarea')?.disabled === false);

/** Goes to the input, on a page or in a frame, once the chat listens to it. */
export async function enter(page) {
  await untilReady(page);
  // Firefox's driver finds no point to click within a frame.
  await (page.page ? page.focus('textarea') : page.click('textarea'));
}

/** Types a message, on a page or in a frame, and sends it. A line break in it is Shift and Enter. */
export async function say(page, text) {
  await enter(page);
  const { keyboard } = page.page?.() ?? page;
  for (const [at, line] of text.split('\n').entries()) {
    if (at > 0) {
      await keyboard.down('Shift');
      await keyboard.press('Enter');
      await keyboard.up('Shift');
    }
    await keyboard.type(line);
  }
  await keyboard.press('Enter');
}

/**
 * Presses the button with this name, once the pointer is seen to be over it: the browser finds a
 * frame under the pointer a moment later than the frame has drawn the button.
 */
export async function press(page, name) {
  const button = await page.locator(`::-p-aria([name="${name}"][role="button"])`).waitHandle();
  await until(`the pointer over ${name}`, async () => {
    await button.hover();
    return button.evaluate((it) => it.matches(':hover'));
  });
  await button.click();
}

/**
 * Waits until something is true in the page, also in a tab in the background. It asks again and
 * again from outside, because in Firefox the page's own policy forbids what would wait inside.
 */
export const untilTrue = (page, what, isTrue, ...args) =>
  until(what, () => page.evaluate(isTrue, ...args));

/** Asks again and again until the answer is true. */
export async function until(what, ask) {
  const end = Date.now() + WITHIN;
  while (!(await ask().catch(goesOn))) {
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await nextLook(50);
  }
}

/** A page that is loaded again answers nothing for a moment. */
function goesOn(error) {
  if (!/context|navigat|detached/i.test(error.message)) {
    throw error;
  }
}

/** Waits until the transcript has this text, also in a tab in the background. */
export const untilShown = (page, text) => untilTrue(page, text,
  (wanted) => document.querySelector('[role=log]').innerText.includes(wanted), text);

/** Waits until a status says this. */
export const untilStatus = (page, text) => untilTrue(page, `the status: ${text}`,
  (wanted) => [...document.querySelectorAll('[role=status]')]
    .some((it) => it.innerText.includes(wanted)), text);

/** Waits until the transcript has exactly this many sent messages with this text. */
export const untilCount = (page, text, times = 1) => untilTrue(page, `${times} times: ${text}`,
  (wanted, often) =>
    [...document.querySelectorAll('[role=log] .line[data-author]')]
      .filter((line) => line.innerText.split('\n').includes(wanted)).length === often,
  text, times);
