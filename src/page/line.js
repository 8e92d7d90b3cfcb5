// Makes the elements of the transcript: a message, its buttons, a change, a day, a waiting line.
// transcript.js decides where they go and when they change.

import { button, link, make } from './dom.js';
import { endOf } from './talk.js';
import { draw, parse, safeUrl } from './text.js';
import { words } from './words.js';

const imageHosts = document.getElementById('page').dataset.images.split(' ');
/** The customer's variant of the page's language, such as `en-GB`. */
const locale = navigator.languages.find((tag) => tag.startsWith(words.locale)) ?? words.locale;
const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
const date = new Intl.DateTimeFormat(locale, {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
});

/** Who sent a message, in words. */
export function speaker({ author, name }) {
  const own = author === 'bot' ? words.bot : words.you;
  return author === 'admin' ? words.agent(name) : own;
}

/** The text of a message for a screen reader. */
export function spoken({ text, image, custom, buttons = [] }) {
  const parts = [
    text !== image && text,
    image && imageLabel(image),
    custom !== undefined && words.custom,
    ...buttons.map(({ title }) => title),
  ];
  return parts.filter(Boolean).join('. ');
}

/** The text in place of an image. */
function imageLabel(address) {
  const url = safeUrl(address);
  return url ? words.image(url.host) : address;
}

/** The text of a change of state, or null if nothing new is to be said. */
export function changeText(event) {
  const { state, reason, admin, agent, owner } = event;
  switch (state) {
    case 'queued':
      return owner === 'active' ? words.left(agent) : words.queued;
    case 'active':
      return words.joined(admin);
    case 'closed':
      return words.ended(endOf(event), agent);
    default:
      return {
        handed_back: words.handedBack(agent),
        withdrawn: words.withdrawn,
      }[reason] ?? (reason ? words.backWithBot : null);
  }
}

/** The day of a moment, as a key and in words. `now` is the gateway's clock. */
export function dayOf(at, now) {
  const key = (moment) => moment.toDateString();
  const before = new Date(now);
  before.setDate(before.getDate() - 1);
  const day = key(at);
  if (day === key(new Date(now))) {
    return { day, text: words.today };
  }
  return { day, text: day === key(before) ? words.yesterday : date.format(at) };
}

export const timeText = (at) => time.format(at);

/** The element of a message. `choose(event, choice)` is called when one of its buttons is pressed. */
export function messageLine(event, choose) {
  const { author, text, image, custom, buttons } = event;
  const hasText = text && text !== image;
  const at = new Date(event.at);
  const line = frame(author, event.name, speaker(event));
  line.dataset.number = event.number;
  line.dataset.conversation = event.conversation;
  const body = make('div', { class: 'body' });
  if (hasText) {
    body.append(bubble(text, author === 'bot'));
  }
  if (image) {
    body.append(attachment(image));
  }
  if (custom !== undefined) {
    body.append(customFold(custom));
  }
  if (buttons?.length) {
    body.append(menu(event, choose));
  }
  body.append(foot(make('time', { datetime: event.at, title: date.format(at) }, timeText(at))));
  line.append(body);
  return line;
}

/** A line of the customer that is not in the transcript yet. */
export function waitingLine({ text }) {
  const line = frame('user', null, words.you);
  line.classList.add('waiting');
  line.append(make('div', { class: 'body' }, bubble(text, false), foot()));
  return line;
}

/** A change of the state, or the beginning of a conversation or a day. */
export const dividerLine = (kind, text) =>
  make('div', { class: `divider ${kind}` }, make('span', {}, text));

/** Shows which buttons can be pressed, and which one was. */
export function setMenu(line, isLive, chosen) {
  for (const choice of line.querySelectorAll('button[data-choice]')) {
    const isChosen = Number(choice.dataset.choice) === chosen;
    choice.disabled = !isLive;
    choice.classList.toggle('chosen', isChosen);
    if (isLive) {
      choice.removeAttribute('aria-pressed');
    } else {
      choice.setAttribute('aria-pressed', isChosen);
    }
  }
}

/** Shows the mark of a line: `'delivered'`, `'seen'` or none. */
export function setMark(line, mark) {
  const foot = line.querySelector('.foot');
  const shown = foot.querySelector('.mark');
  if (mark && shown?.dataset.mark !== mark) {
    shown?.remove();
    const [sign, label] = mark === 'seen' ? ['✓✓', words.seen] : ['✓', words.delivered];
    const attributes = { class: 'mark', role: 'img', 'aria-label': label };
    foot.append(make('span', { ...attributes, 'data-mark': mark }, sign));
  }
}

/** Shows why a line waits, and what the customer can do: `{text, actions: [[label, act]]}`. */
export function setWaiting(line, { text, actions, isRefused }) {
  const foot = line.querySelector('.foot');
  const key = [text, ...actions.map(([label]) => label)].join('|');
  if (foot.dataset.key !== key) {
    foot.dataset.key = key;
    const buttons = actions.map(([label, act]) => button({ class: 'small' }, label, act));
    foot.replaceChildren(make('span', {}, text), ...buttons);
    line.classList.toggle('refused', isRefused);
  }
}

function frame(author, name, who) {
  const face = make('span', { class: 'face', 'data-who': author, 'aria-hidden': 'true' });
  if (author === 'admin') {
    face.append(initial(name));
  }
  const line = make('div', { class: `line from-${author}`, 'data-author': author });
  line.append(face, make('span', { class: 'who' }, make('bdi', {}, who)));
  return line;
}

/** The first letter of a name, for a face. Without a name the style sheet draws a person. */
export const initial = (name) => (name ? Array.from(name.trim())[0] ?? '' : '').toUpperCase();

function bubble(text, markup) {
  return make('div', { class: 'bubble', dir: 'auto' }, draw(parse(text, { markup })));
}

const foot = (...children) => make('div', { class: 'foot' }, ...children);

/** An image: shown if the gateway allows its host, otherwise a link. */
function attachment(address) {
  const url = safeUrl(address);
  const label = imageLabel(address);
  const isShown = url?.protocol === 'https:' && imageHosts.includes(url.host);
  const content = isShown ? picture(url, label) : label;
  const shown = url ? link(url.href, { title: url.href }, content) : content;
  return make('div', { class: 'bubble attached' }, shown);
}

/** An image. If it cannot be loaded, its label replaces it. */
function picture(url, label) {
  const image = make('img', { src: url.href, alt: label, loading: 'lazy', decoding: 'async' });
  image.addEventListener('error', () => image.replaceWith(label));
  return image;
}

function customFold(custom) {
  const text = JSON.stringify(custom, null, 2);
  return make(
    'details',
    { class: 'custom' },
    make('summary', {}, words.custom),
    make('pre', { tabindex: '0', dir: 'ltr' }, text),
  );
}

function menu(event, choose) {
  const shown = event.buttons.map(({ title, choice, url, payload }) => {
    const target = url && !payload ? safeUrl(url) : null;
    if (target) {
      return linkButton(title, target);
    }
    const attributes = { class: 'choice', dir: 'auto', 'data-choice': choice ?? '' };
    return button(attributes, title, () => choose(event, choice));
  });
  return make('div', { class: 'menu', role: 'group', 'aria-label': words.choices }, ...shown);
}

let links = 0;

/** A link that looks like a button, is named by its title, and shows where it leads. */
function linkButton(title, url) {
  links += 1;
  const id = `host-${links}`;
  return make(
    'span',
    { class: 'choice away' },
    link(url.href, { dir: 'auto', 'aria-describedby': id }, title),
    make('span', { class: 'host', id }, url.host),
  );
}
