// Every sentence of the chat in English. Other files give facts; words.js chooses the language.

import { capital, plain, pluralIn } from './sentence.js';

const count = pluralIn('en');

/** An agent within a sentence, also one without a name. */
const agent = (name) => plain(name) || 'a human';

export const words = {
  /** The language of the sentences below. */
  locale: 'en',
  direction: 'ltr',

  // Texts of the page from its start.
  title: 'Chat',
  welcome: 'How can we help?',
  offer: 'A bot answers at once. You can talk to a human at any time.',
  conversation: 'Conversation',
  messages: 'Messages',
  message: 'Message',
  send: 'Send',
  human: 'Talk to a human',
  back: 'Back to the bot',
  agree: 'Agree and continue',
  whoAreYou: 'Before a human joins you: who are you?',
  name: 'Name',
  email: 'Email',
  tell: 'Continue',
  skip: 'Skip',
  end: 'End',
  stay: 'Stay',
  more: 'More',
  close: 'Close',
  apart: 'Open in a new tab',
  save: 'Save as text',
  print: 'Print',
  unread: (messages, title) => `(${messages}) ${title}`,

  // Who speaks.
  you: 'You',
  bot: 'Bot',
  agent: (name) => plain(name) || 'Human',
  said: (who, text) => `${who}: ${text}`,

  // The status.
  withBot: 'The bot answers here',
  waiting: (position) =>
    position ? `Waiting for a human, position ${position}` : 'Waiting for a human',
  nobodyHere: (position) =>
    position ? `Nobody is here now; you keep position ${position}` : 'Nobody is here now',
  isHere: (name) => `${capital(agent(name))} is here`,
  onHold: (name) => `${capital(agent(name))} asks you to wait a moment`,
  closed: (reason, name) => `Closed. ${words.ended(reason, name)}`,
  ended: (reason, name) =>
    ({
      user_ended: 'You ended this conversation.',
      admin_closed: `${capital(agent(name))} ended this conversation.`,
      inactivity: 'This conversation ended because nobody wrote for 24 hours.',
      error: 'This conversation ended because of an error.',
    })[reason] ?? 'This conversation has ended.',
  nextBegins: 'Your next message begins a new conversation.',

  // Changes in the transcript.
  queued: 'You are in the queue for a human.',
  joined: (name) => `${capital(agent(name))} is here now.`,
  left: (name) => `${capital(agent(name))} is no longer here. You are at the front of the queue.`,
  handedBack: (name) => `${capital(agent(name))} handed you back to the bot.`,
  withdrawn: 'You stopped waiting. The bot answers again.',
  backWithBot: 'The bot answers again.',
  newConversation: 'New conversation',
  today: 'Today',
  yesterday: 'Yesterday',

  // The marks at the customer's lines.
  delivered: 'Delivered',
  seen: 'Seen',
  sending: 'Sending…',
  waitsForConnection: 'Waits for the connection',
  waitsForAgreement: 'Waits until you agree',

  // Why a line was not sent.
  refused: (reason) =>
    ({
      closed: 'Not sent: the conversation had ended.',
      conversation: 'Not sent: that conversation is no longer here.',
      token: 'Not sent: that conversation is no longer here.',
      chosen: 'Not sent: another answer was chosen already.',
      long: 'Not sent: the message is too long.',
      origin: 'Not sent: this address may not be used to chat.',
      state: 'Not sent: this is not possible now.',
    })[reason] ?? 'Not sent: the chat did not accept it.',
  delayed: (reason) =>
    `${
      { rate: 'That was very fast.', queue: 'Too many messages wait at the moment.' }[reason] ??
      'The chat is busy.'
    } It is sent again soon.`,
  again: 'Try again',
  inNew: 'Send in a new conversation',
  discard: 'Discard',

  // The bar above the input.
  lost: 'Connection lost. Trying again…',
  offline: 'You are offline. Your messages leave when you are back.',
  isBack: 'Connected again.',
  slow: 'The bot is slow to answer.',
  failed: 'The bot may not have received your message. A human can help you, too.',
  sayAgain: 'Send it again',
  deskLost: (name) =>
    name
      ? `The connection to ${agent(name)} is interrupted. Your messages arrive when it is back.`
      : 'The agents cannot be reached at the moment. You keep your place in the queue.',
  asking: 'Asking for a human…',
  returning: 'Going back to the bot…',
  reallyEnd: 'End the conversation?',
  ending: 'Ending the conversation…',
  notDone: 'That did not work. Please try again.',
  customers: 'The chat is full at the moment.',
  cannotBegin: 'The chat cannot be started at the moment.',
  crowded: 'The chat is open in too many windows. This one may be late.',
  endsWithPage: 'This browser keeps nothing: the chat ends when you leave this page.',
  notKept: 'This browser keeps nothing: an unsent message is lost when you close the page.',

  // Sizes of texts and files.
  tooLong: (over) =>
    `Too long by ${count(over, { one: 'byte', other: 'bytes' })}. Please send it in parts.`,
  fresh: (messages) => count(messages, { one: 'new message', other: 'new messages' }),
  earlier: 'Earlier messages',
  loading: 'Loading…',
  notLoaded: 'Earlier messages could not be loaded. Try again',
  choices: 'Choices',
  custom: 'Data from the bot',
  image: (host) => `Image at ${host}`,

  // The menu.
  soundOn: 'Sound is on',
  soundOff: 'Sound is off',
  notifyOn: 'Notifications are on',
  notifyOff: 'Notify me',
  notifyDenied: 'Notifications are blocked by the browser',
  notSaved: 'The conversation could not be loaded completely, so it was not saved.',
  fileName: (day) => `chat-${day}.txt`,
  write: 'Write a message',
  writeNew: 'Write to begin a new conversation',
};
