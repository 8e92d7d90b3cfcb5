// Starts the page and connects its parts: events go to the transcript, the customer's acts go to
// the outbox. Each subject has a file of its own; this file only connects them.

// Imported first: the page around may send messages while the words are still being loaded.
import { embedder } from './embedder.js';

import { About } from './about.js';
import { announce } from './announcer.js';
import { insist, pageBefore } from './api.js';
import { Attention } from './attention.js';
import { Composer } from './composer.js';
import { Connection } from './connection.js';
import { Consent } from './consent.js';
import { Controls, LOST } from './controls.js';
import { passOf, refreshApart, startInFrame } from './frame.js';
import { take } from './look.js';
import { Menu } from './menu.js';
import { Outbox } from './outbox.js';
import { asText, saveText } from './save.js';
import { Scroll } from './scroll.js';
import { Seen } from './seen.js';
import { store } from './store.js';
import { isFromOther, numberOf, Talk } from './talk.js';
import { token } from './token.js';
import { Transcript } from './transcript.js';
import { Typing } from './typing.js';
import { followViewport } from './viewport.js';
import { words } from './words.js';

const byId = (id) => document.getElementById(id);
const scroller = byId('scroller');
/** How long a failure is shown, in milliseconds. */
const FAILURE = 6_000;
/** The storage name for: the customer has accepted the notice. */
const AGREED = 'agreed';
/** The storage name of the id of the latest event that the customer has seen. */
const READ = 'read';

let talk = new Talk();
/** How far the gateway's clock is ahead of the browser's. */
let ahead = 0;
let failure = null;
/** The notice that the customer must accept before the first word, or null. */
let notice = byId('page').dataset.notice || null;
/** Whether the notice comes from the gateway itself, not from the page around. */
const isAskedByGateway = notice !== null;
/** The fields that the customer is asked for before the first handoff: `'name'`, `'email'`. */
let fields = listOf(byId('page').dataset.ask);
/** The latest event that was shown before the present ones. At a load no event counts as new. */
let shownBefore = Infinity;
/** Whether the customer is asked if the conversation shall end. */
let isEndAsked = false;
let isReloading = false;
let isPainting = false;
/** The other tabs that the customer is looking at. */
const watched = new Set();

const now = () => Date.now() + ahead;

function listOf(names) {
  return names ? names.split(',') : [];
}

const connection = new Connection({
  after: () => talk.last,
  snapshot: () => talk.snapshot(),
  hear,
  forget,
  left,
  told,
  changed: () => {
    setTimeout(paintSoon, LOST + 100);
    if (connection.downSince === null) {
      outbox.adopt();
      seen.look();
    }
    paintSoon();
  },
});

const outbox = new Outbox({
  begin: () => connection.begun(),
  changed: paintSoon,
  mayGo: () => !mustAgree(),
  held: () => {
    store.write(AGREED, null);
    return mustAgree();
  },
  said: (item) => {
    if (talk.has(item)) {
      outbox.drop(item.id);
    }
  },
  refused: () => fail(words.notDone),
});

const seen = new Seen(scroller, () => attention.isWatched);
const scroll = new Scroll(scroller, byId('log'), showFresh);
const transcript = new Transcript(byId('log'), {
  now,
  choose,
  isLive: (event) => talk.isLive(event) && outbox.lines.every(({ state }) => state === 'refused'),
  chosen: (event) => event.chosen ?? outbox.choice(event),
  mark: (event) => talk.mark(event),
  shown: (element, event) => {
    if (event.author === 'admin' && event.conversation === talk.conversation) {
      seen.watch(element, event);
    }
  },
});
const typing = new Typing();
const controls = new Controls({ ask, focus: focusInput });
const composer = new Composer(
  { input: byId('input'), send: byId('send'), limit: byId('limit') },
  { act: () => connection.want(), write: tellTyping, send: say },
);
const consent = new Consent(agree);
const about = new About(tellAbout);
const attention = new Attention(() => menu.show());
const menu = new Menu(attention, { save, opened: refreshApart });

embedder.start({
  begin: start,
  moved: () => connection.tellPage(),
  shown,
  identity: takeIdentity,
});

function start(look, identity) {
  document.documentElement.lang = words.locale;
  document.documentElement.dir = words.direction;
  document.title = words.title;
  take(look);
  notice = look.notice || notice;
  fields = look.ask ? listOf(look.ask) : fields;
  for (const element of document.querySelectorAll('[data-words]')) {
    element.textContent = words[element.dataset.words];
  }
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', words[element.dataset.label]);
  }
  followViewport();
  byId('fresh').addEventListener('click', () => {
    scroll.toEnd();
    scroller.focus({ preventScroll: true });
  });
  byId('earlier').addEventListener('click', loadEarlier);
  if (embedder.isFramed) {
    startInFrame(look);
  }
  const tellWatched = () => connection.tell({ kind: 'watched', isWatched: attention.isWatched });
  for (const name of ['focus', 'blur', 'pagehide']) {
    addEventListener(name, tellWatched);
  }
  addEventListener('focus', noteRead);
  document.addEventListener('visibilitychange', tellWatched);
  connection.start(passOf(location));
  // Waiting lines may belong to another customer, so the identity comes first.
  takeIdentity(identity);
  outbox.adopt();
  composer.restore((id) => outbox.lines.some((line) => line.id === id));
  paint();
  // If no event comes, nothing else would draw the page again to show the lost connection.
  setTimeout(paintSoon, LOST + 100);
  tellWatched();
}

/** The page around tells who the customer is, or with null that the customer has left. */
function takeIdentity(token) {
  if (token === null) {
    connection.leave();
  } else if (token) {
    connection.identify(token);
  }
}

/** The page around shows or hides the chat. Opening it counts as an act of the customer. */
function shown(takesFocus) {
  if (embedder.isShown) {
    connection.want();
  }
  if (takesFocus) {
    focusInput();
  }
  attention.look();
  noteRead();
  seen.look();
}

// What the customer does.

function tellTyping() {
  if (talk.state === 'active') {
    typing.tell(talk.conversation);
  }
}

function say({ id, text }) {
  typing.stop();
  const isOver = connection.phase === 'known' && talk.state === 'closed';
  const { conversation } = connection;
  add({ id, kind: 'say', text, conversation, after: isOver ? conversation : null });
  connection.tell({ kind: 'sent', id });
}

function choose(event, choice) {
  const { conversation, number, buttons } = event;
  const { title } = buttons.find((button) => button.choice === choice);
  const id = `choose-${conversation}-${number}`;
  add({ id, kind: 'choose', conversation, menu: number, choice, text: title });
}

function add(item) {
  failure = null;
  scroll.around(
    () => {
      outbox.add(item);
      paint();
    },
    { isOwn: true },
  );
}

/** Whether the customer must accept the notice first. The gateway knows better than this page. */
function mustAgree() {
  if (isAskedByGateway && talk.now) {
    return Boolean(talk.now.must_agree);
  }
  return notice !== null && !store.read(AGREED);
}

async function agree() {
  await connection.begun();
  const { status } = await insist('agree', {});
  if (status !== 204) {
    fail(words.notDone);
    return;
  }
  store.write(AGREED, true);
  talk.agree();
  outbox.nudge();
  paint();
  focusInput();
}

/** Asks the customer who they are, if it is time. Customers whom the shop knows are not asked. */
function askAbout() {
  const { phase, isIdentified } = connection;
  const isOver = phase === 'known' && talk.state === 'closed';
  about.isHandoffHeld &&= !isOver;
  const isWaiting = phase === 'known' && talk.state === 'queued' && !outbox.asking.includes('bot');
  const asked = isIdentified || mustAgree() ? [] : fields;
  about.show(asked, about.isHandoffHeld || isWaiting, isOver ? null : talk.conversation);
}

/** The customer has answered the form, or with null has skipped it. */
async function tellAbout(values) {
  if (values) {
    await connection.begun();
    const { status } = await insist('about', values);
    if (status !== 204) {
      fail(words.notDone);
      return;
    }
  }
  about.done();
  paint();
  focusInput();
  if (about.isHandoffHeld) {
    ask('human');
  }
}

/** Whether the customer would lose a place in the queue, or a human, by an end. */
const isWithHumans = () => ['queued', 'active'].includes(talk.state);

/**
 * Asks for a human, for the bot, or for the end, which a customer who is with humans must press
 * twice; `stay` takes the first press back. A second press repeats the request, with its id.
 */
function ask(kind) {
  if (outbox.asking.includes(kind)) {
    return;
  }
  isEndAsked = kind === 'end' && isWithHumans() && !isEndAsked;
  if (isEndAsked || kind === 'stay') {
    paint();
    byId(isEndAsked ? 'stay' : 'end').focus();
    return;
  }
  if (kind === 'human') {
    about.isHandoffHeld = true;
    paint();
    if (about.isShown) {
      about.focus();
      return;
    }
    about.isHandoffHeld = false;
  }
  if (kind === 'bot') {
    about.cancel();
  }
  failure = null;
  const { conversation } = connection;
  const id = `${kind}-${conversation ?? 'first'}-${talk.events.at(-1)?.n ?? 0}`;
  outbox.add({ id, kind, conversation });
  focusInput();
}

/** Moves the focus to the input; but not on a phone, whose keyboard would cover the page. */
function focusInput() {
  if (matchMedia('(pointer: coarse)').matches) {
    scroller.focus({ preventScroll: true });
  } else {
    composer.focus();
  }
}

function discard(line) {
  outbox.drop(line.id);
  connection.tell({ kind: 'dropped', id: line.id });
}

async function loadEarlier() {
  const earlier = byId('earlier');
  earlier.textContent = words.loading;
  const page = await pageBefore(talk.events[0].n);
  earlier.textContent = page ? words.earlier : words.notLoaded;
  if (page) {
    scroll.above(() => {
      talk.prepend(page.events, page.more);
      transcript.reset();
      transcript.append(talk.events);
      paint();
    });
  }
}

async function save() {
  const whole = new Talk();
  whole.apply(talk.snapshot());
  while (whole.hasEarlier) {
    const page = await pageBefore(whole.events[0].n);
    if (!page) {
      fail(words.notSaved);
      return;
    }
    whole.prepend(page.events, page.more);
  }
  saveText(asText(whole.events.filter(({ isMoved }) => !isMoved), now()), now());
}

function fail(text) {
  failure = text;
  setTimeout(() => {
    failure = null;
    paintSoon();
  }, FAILURE);
  paintSoon();
}

// What comes in.

function hear(events, isRestored) {
  const clock = events.findLast(({ event, at }) => event === 'ping' && at);
  ahead = clock ? Date.parse(clock.at) - Date.now() : ahead;
  const known = talk.events.at(-1)?.n ?? Infinity;
  const { reset, added, moved } = talk.apply(events);
  // A long answer comes in pieces, and only the first piece has the reset.
  shownBefore = reset ? known : shownBefore;
  isReloading = reset || (isReloading && isRestored);
  const isFresh = (event) => isFromOther(event) && (!isReloading || event.n > shownBefore);
  const fresh = added.filter(isFresh);
  scroll.around(
    () => {
      if (reset) {
        transcript.reset();
      }
      transcript.remove(moved);
      transcript.append(added);
      added.forEach((event) => outbox.settle(event));
      paint();
    },
    { arrived: () => fresh.map((event) => transcript.element(event)), isOwn: isReloading },
  );
  announce(fresh, isRestored);
  if (isReloading) {
    attention.recall(added.filter((event) => isFromOther(event) && !fresh.includes(event) && isUnread(event)).length);
  }
  attention.arrive(fresh, connection.leads && watched.size === 0);
  noteRead();
}

/** Whether the customer has not seen this event, on this page or an earlier one. */
function isUnread({ id }) {
  const [epoch, number] = store.read(READ, '').split('-');
  return id.startsWith(`${epoch}-`) && numberOf(id) > Number(number);
}

/** Notes that all events so far are read, if the customer looks at the page. */
function noteRead() {
  if (attention.isWatched && talk.last && store.read(READ) !== talk.last) {
    store.write(READ, talk.last);
  }
}

function forget() {
  talk = new Talk();
  transcript.reset();
  paintSoon();
}

/** Another customer is here now: nothing of the one before stays. */
function left() {
  about.forget();
  outbox.clear();
  composer.clear();
  store.write(READ, null);
  store.write(AGREED, null);
  attention.clear();
}

function told({ kind, from, id, isWatched }) {
  switch (kind) {
    case 'sent':
      composer.forget(id);
      break;
    case 'dropped':
      outbox.drop(id);
      break;
    case 'watched':
      watched[isWatched ? 'add' : 'delete'](from);
      if (isWatched) {
        // Messages that the customer has seen in that tab are read here, too.
        attention.clear();
      }
      break;
    default:
      break;
  }
}

// What is shown.

function paintSoon() {
  if (!isPainting) {
    isPainting = true;
    queueMicrotask(paint);
  }
}

function paint() {
  isPainting = false;
  const focused = document.activeElement;
  isEndAsked &&= isWithHumans();
  transcript.setWaiting(outbox.lines, (line) =>
    outbox.describe(line, mustAgree(), () => discard(line)));
  transcript.update();
  byId('earlier').hidden = !talk.hasEarlier;
  byId('earlier').textContent ||= words.earlier;
  const { phase, problem, downSince } = connection;
  embedder.tell('state', { state: talk.state });
  consent.show(mustAgree() ? notice : null);
  askAbout();
  controls.show({
    phase,
    problem,
    downSince,
    state: talk.state,
    agent: talk.agent,
    reason: talk.reason,
    now: talk.now,
    asking: outbox.asking,
    isEndAsked,
    isEmpty: talk.events.length === 0 && outbox.lines.length === 0,
    isKept: store.lasts,
    endsWithPage: token.endsWithPage,
    failure,
    actions: {
      begin: () => connection.again(),
      again: () => ask('again'),
      end: () => ask('end'),
    },
  });
  if (focused?.disabled || !focused?.isConnected) {
    focusInput();
  }
}

function showFresh(count) {
  const fresh = byId('fresh');
  fresh.hidden = count === 0;
  fresh.textContent = words.fresh(count);
}
