// Every sentence of the chat in French: see words.en.js.

import { capital, plain, pluralIn } from './sentence.js';

const count = pluralIn('fr');
const agent = (name) => plain(name) || 'un conseiller';

export const words = {
  locale: 'fr',
  direction: 'ltr',

  title: 'Chat',
  welcome: 'Comment pouvons-nous vous aider ?',
  offer: 'Un robot répond tout de suite. Vous pouvez parler à un conseiller à tout moment.',
  conversation: 'Conversation',
  messages: 'Messages',
  message: 'Message',
  send: 'Envoyer',
  human: 'Parler à un conseiller',
  back: 'Revenir au robot',
  agree: 'Accepter et continuer',
  whoAreYou: 'Avant qu’un conseiller vous rejoigne : qui êtes-vous ?',
  name: 'Nom',
  email: 'E-mail',
  tell: 'Continuer',
  skip: 'Passer',
  end: 'Terminer',
  stay: 'Rester',
  more: 'Plus',
  close: 'Fermer',
  apart: 'Ouvrir dans un nouvel onglet',
  save: 'Enregistrer en texte',
  print: 'Imprimer',
  unread: (messages, title) => `(${messages}) ${title}`,

  you: 'Vous',
  bot: 'Robot',
  agent: (name) => plain(name) || 'Conseiller',
  said: (who, text) => `${who} : ${text}`,

  withBot: 'Le robot répond ici',
  waiting: (position) =>
    position ? `En attente d’un conseiller, position ${position}` : 'En attente d’un conseiller',
  nobodyHere: (position) =>
    position ? `Personne pour le moment ; vous gardez la position ${position}` : 'Personne pour le moment',
  isHere: (name) => `${capital(agent(name))} est là`,
  onHold: (name) => `${capital(agent(name))} vous demande de patienter un instant`,
  closed: (reason, name) => `Terminée. ${words.ended(reason, name)}`,
  ended: (reason, name) =>
    ({
      user_ended: 'Vous avez terminé cette conversation.',
      admin_closed: `${capital(agent(name))} a terminé cette conversation.`,
      inactivity: 'Cette conversation est terminée : personne n’a écrit pendant 24 heures.',
      error: 'Cette conversation est terminée à cause d’une erreur.',
    })[reason] ?? 'Cette conversation est terminée.',
  nextBegins: 'Votre prochain message commence une nouvelle conversation.',

  queued: 'Vous êtes dans la file d’attente pour un conseiller.',
  joined: (name) => `${capital(agent(name))} est là maintenant.`,
  left: (name) => `${capital(agent(name))} n’est plus là. Vous êtes en tête de la file d’attente.`,
  handedBack: (name) => `${capital(agent(name))} vous a rendu au robot.`,
  withdrawn: 'Vous n’attendez plus. Le robot répond de nouveau.',
  backWithBot: 'Le robot répond de nouveau.',
  newConversation: 'Nouvelle conversation',
  today: 'Aujourd’hui',
  yesterday: 'Hier',

  delivered: 'Remis',
  seen: 'Vu',
  sending: 'Envoi…',
  waitsForConnection: 'Attend la connexion',
  waitsForAgreement: 'Attend votre accord',

  refused: (reason) =>
    ({
      closed: 'Pas envoyé : la conversation était terminée.',
      conversation: 'Pas envoyé : cette conversation n’est plus ici.',
      token: 'Pas envoyé : cette conversation n’est plus ici.',
      chosen: 'Pas envoyé : une autre réponse a déjà été choisie.',
      long: 'Pas envoyé : le message est trop long.',
      origin: 'Pas envoyé : cette adresse ne permet pas de discuter.',
      state: 'Pas envoyé : ce n’est pas possible maintenant.',
    })[reason] ?? 'Pas envoyé : le chat ne l’a pas accepté.',
  delayed: (reason) =>
    `${
      { rate: 'C’était très rapide.', queue: 'Trop de messages attendent en ce moment.' }[reason] ??
      'Le chat est occupé.'
    } Le message sera bientôt renvoyé.`,
  again: 'Réessayer',
  inNew: 'Envoyer dans une nouvelle conversation',
  discard: 'Supprimer',

  lost: 'Connexion perdue. Nouvel essai…',
  offline: 'Vous êtes hors ligne. Vos messages partiront à votre retour.',
  isBack: 'Connexion rétablie.',
  slow: 'Le robot met du temps à répondre.',
  failed: 'Le robot n’a peut-être pas reçu votre message. Un conseiller peut aussi vous aider.',
  sayAgain: 'Envoyer de nouveau',
  deskLost: (name) =>
    plain(name)
      ? `La connexion avec ${plain(name)} est interrompue. Vos messages arriveront à son retour.`
      : 'Les conseillers sont injoignables pour le moment. Vous gardez votre place dans la file.',
  asking: 'Un conseiller est appelé…',
  returning: 'Retour au robot…',
  reallyEnd: 'Terminer la conversation ?',
  ending: 'La conversation se termine…',
  notDone: 'Cela n’a pas fonctionné. Veuillez réessayer.',
  customers: 'Le chat est complet pour le moment.',
  cannotBegin: 'Le chat ne peut pas commencer pour le moment.',
  crowded: 'Le chat est ouvert dans trop de fenêtres. Celle-ci peut être en retard.',
  endsWithPage: 'Ce navigateur ne garde rien : le chat se termine quand vous quittez cette page.',
  notKept:
    'Ce navigateur ne garde rien : un message non envoyé est perdu quand vous fermez la page.',

  tooLong: (over) =>
    `Trop long de ${count(over, { one: 'octet', other: 'octets' })}. Envoyez-le en plusieurs parties.`,
  fresh: (messages) => count(messages, { one: 'nouveau message', other: 'nouveaux messages' }),
  earlier: 'Messages précédents',
  loading: 'Chargement…',
  notLoaded: 'Les messages précédents n’ont pas pu être chargés. Réessayer',
  choices: 'Choix',
  custom: 'Données du robot',
  image: (host) => `Image sur ${host}`,

  soundOn: 'Le son est activé',
  soundOff: 'Le son est coupé',
  notifyOn: 'Les notifications sont activées',
  notifyOff: 'Me notifier',
  notifyDenied: 'Le navigateur bloque les notifications',
  notSaved: 'La conversation n’a pas pu être chargée entièrement ; elle n’a pas été enregistrée.',
  fileName: (day) => `chat-${day}.txt`,
  write: 'Écrire un message',
  writeNew: 'Écrivez pour commencer une nouvelle conversation',
};
