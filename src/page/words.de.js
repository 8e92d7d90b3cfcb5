// Every sentence of the chat in German: see words.en.js.

import { capital, plain, pluralIn } from './sentence.js';

const count = pluralIn('de');
const agent = (name) => plain(name) || 'ein Mensch';

export const words = {
  locale: 'de',
  direction: 'ltr',

  title: 'Chat',
  welcome: 'Wie können wir helfen?',
  offer: 'Ein Bot antwortet sofort. Sie können jederzeit mit einem Menschen sprechen.',
  conversation: 'Gespräch',
  messages: 'Nachrichten',
  message: 'Nachricht',
  send: 'Senden',
  human: 'Mit einem Menschen sprechen',
  back: 'Zurück zum Bot',
  agree: 'Zustimmen und weiter',
  whoAreYou: 'Bevor ein Mensch dazukommt: Wer sind Sie?',
  name: 'Name',
  email: 'E-Mail',
  tell: 'Weiter',
  skip: 'Überspringen',
  end: 'Beenden',
  stay: 'Bleiben',
  more: 'Mehr',
  close: 'Schließen',
  apart: 'In neuem Tab öffnen',
  save: 'Als Text speichern',
  print: 'Drucken',
  unread: (messages, title) => `(${messages}) ${title}`,

  you: 'Sie',
  bot: 'Bot',
  agent: (name) => plain(name) || 'Mensch',
  said: (who, text) => `${who}: ${text}`,

  withBot: 'Hier antwortet der Bot',
  waiting: (position) =>
    position ? `Sie warten auf einen Menschen, Platz ${position}` : 'Sie warten auf einen Menschen',
  nobodyHere: (position) =>
    position ? `Zurzeit ist niemand da; Sie behalten Platz ${position}` : 'Zurzeit ist niemand da',
  isHere: (name) => `${capital(agent(name))} ist da`,
  onHold: (name) => `${capital(agent(name))} bittet Sie um einen Moment Geduld`,
  closed: (reason, name) => `Beendet. ${words.ended(reason, name)}`,
  ended: (reason, name) =>
    ({
      user_ended: 'Sie haben das Gespräch beendet.',
      admin_closed: `${capital(agent(name))} hat das Gespräch beendet.`,
      inactivity: 'Das Gespräch ist beendet, weil 24 Stunden lang niemand geschrieben hat.',
      error: 'Das Gespräch ist wegen eines Fehlers beendet.',
    })[reason] ?? 'Das Gespräch ist beendet.',
  nextBegins: 'Ihre nächste Nachricht beginnt ein neues Gespräch.',

  queued: 'Sie warten in der Schlange auf einen Menschen.',
  joined: (name) => `${capital(agent(name))} ist jetzt da.`,
  left: (name) => `${capital(agent(name))} ist nicht mehr da. Sie stehen ganz vorn in der Schlange.`,
  handedBack: (name) => `${capital(agent(name))} hat Sie an den Bot zurückgegeben.`,
  withdrawn: 'Sie warten nicht mehr. Der Bot antwortet wieder.',
  backWithBot: 'Der Bot antwortet wieder.',
  newConversation: 'Neues Gespräch',
  today: 'Heute',
  yesterday: 'Gestern',

  delivered: 'Zugestellt',
  seen: 'Gesehen',
  sending: 'Wird gesendet …',
  waitsForConnection: 'Wartet auf die Verbindung',
  waitsForAgreement: 'Wartet auf Ihre Zustimmung',

  refused: (reason) =>
    ({
      closed: 'Nicht gesendet: Das Gespräch war beendet.',
      conversation: 'Nicht gesendet: Dieses Gespräch gibt es hier nicht mehr.',
      token: 'Nicht gesendet: Dieses Gespräch gibt es hier nicht mehr.',
      chosen: 'Nicht gesendet: Es wurde schon eine andere Antwort gewählt.',
      long: 'Nicht gesendet: Die Nachricht ist zu lang.',
      origin: 'Nicht gesendet: Von dieser Adresse aus kann nicht gechattet werden.',
      state: 'Nicht gesendet: Das geht gerade nicht.',
    })[reason] ?? 'Nicht gesendet: Der Chat hat die Nachricht nicht angenommen.',
  delayed: (reason) =>
    `${
      { rate: 'Das war sehr schnell.', queue: 'Im Moment warten zu viele Nachrichten.' }[reason] ??
      'Der Chat ist beschäftigt.'
    } Sie wird bald noch einmal gesendet.`,
  again: 'Noch einmal versuchen',
  inNew: 'In einem neuen Gespräch senden',
  discard: 'Verwerfen',

  lost: 'Verbindung verloren. Neuer Versuch …',
  offline: 'Sie sind offline. Ihre Nachrichten werden gesendet, wenn Sie wieder da sind.',
  isBack: 'Wieder verbunden.',
  slow: 'Der Bot braucht lange für die Antwort.',
  failed: 'Der Bot hat Ihre Nachricht vielleicht nicht bekommen. Auch ein Mensch kann Ihnen helfen.',
  sayAgain: 'Noch einmal senden',
  deskLost: (name) =>
    plain(name)
      ? `Die Verbindung zu ${plain(name)} ist unterbrochen. Ihre Nachrichten kommen an, wenn sie wieder da ist.`
      : 'Im Moment ist niemand erreichbar. Sie behalten Ihren Platz in der Schlange.',
  asking: 'Ein Mensch wird gerufen …',
  returning: 'Zurück zum Bot …',
  reallyEnd: 'Das Gespräch beenden?',
  ending: 'Das Gespräch wird beendet …',
  notDone: 'Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.',
  customers: 'Der Chat ist im Moment voll.',
  cannotBegin: 'Der Chat kann im Moment nicht begonnen werden.',
  crowded: 'Der Chat ist in zu vielen Fenstern offen. In diesem kann er verspätet sein.',
  endsWithPage: 'Dieser Browser behält nichts: Der Chat endet, wenn Sie diese Seite verlassen.',
  notKept:
    'Dieser Browser behält nichts: Eine ungesendete Nachricht geht verloren, wenn Sie die Seite schließen.',

  tooLong: (over) =>
    `Um ${count(over, { one: 'Byte', other: 'Bytes' })} zu lang. Bitte senden Sie es in Teilen.`,
  fresh: (messages) => count(messages, { one: 'neue Nachricht', other: 'neue Nachrichten' }),
  earlier: 'Frühere Nachrichten',
  loading: 'Wird geladen …',
  notLoaded: 'Frühere Nachrichten konnten nicht geladen werden. Noch einmal versuchen',
  choices: 'Antworten',
  custom: 'Daten vom Bot',
  image: (host) => `Bild auf ${host}`,

  soundOn: 'Ton ist an',
  soundOff: 'Ton ist aus',
  notifyOn: 'Benachrichtigungen sind an',
  notifyOff: 'Benachrichtigen',
  notifyDenied: 'Der Browser blockiert Benachrichtigungen',
  notSaved: 'Das Gespräch konnte nicht ganz geladen werden und wurde deshalb nicht gespeichert.',
  fileName: (day) => `chat-${day}.txt`,
  write: 'Nachricht schreiben',
  writeNew: 'Schreiben Sie, um ein neues Gespräch zu beginnen',
};
