// Every sentence of the chat in Spanish: see words.en.js.

import { capital, plain, pluralIn } from './sentence.js';

const count = pluralIn('es');
const agent = (name) => plain(name) || 'una persona';

export const words = {
  locale: 'es',
  direction: 'ltr',

  title: 'Chat',
  welcome: '¿En qué podemos ayudarle?',
  offer: 'Un bot responde al momento. Puede hablar con una persona cuando quiera.',
  conversation: 'Conversación',
  messages: 'Mensajes',
  message: 'Mensaje',
  send: 'Enviar',
  human: 'Hablar con una persona',
  back: 'Volver al bot',
  agree: 'Aceptar y continuar',
  whoAreYou: 'Antes de que llegue una persona: ¿quién es usted?',
  name: 'Nombre',
  email: 'Correo electrónico',
  tell: 'Continuar',
  skip: 'Omitir',
  end: 'Terminar',
  stay: 'Seguir',
  more: 'Más',
  close: 'Cerrar',
  apart: 'Abrir en otra pestaña',
  save: 'Guardar como texto',
  print: 'Imprimir',
  unread: (messages, title) => `(${messages}) ${title}`,

  you: 'Usted',
  bot: 'Bot',
  agent: (name) => plain(name) || 'Persona',
  said: (who, text) => `${who}: ${text}`,

  withBot: 'Aquí responde el bot',
  waiting: (position) =>
    position ? `Esperando a una persona, puesto ${position}` : 'Esperando a una persona',
  nobodyHere: (position) =>
    position ? `Ahora no hay nadie; conserva el puesto ${position}` : 'Ahora no hay nadie',
  isHere: (name) => `${capital(agent(name))} está aquí`,
  onHold: (name) => `${capital(agent(name))} le pide que espere un momento`,
  closed: (reason, name) => `Terminada. ${words.ended(reason, name)}`,
  ended: (reason, name) =>
    ({
      user_ended: 'Usted terminó esta conversación.',
      admin_closed: `${capital(agent(name))} terminó esta conversación.`,
      inactivity: 'Esta conversación terminó porque nadie escribió en 24 horas.',
      error: 'Esta conversación terminó por un error.',
    })[reason] ?? 'Esta conversación ha terminado.',
  nextBegins: 'Su próximo mensaje comienza una conversación nueva.',

  queued: 'Está en la cola para hablar con una persona.',
  joined: (name) => `${capital(agent(name))} ya está aquí.`,
  left: (name) => `${capital(agent(name))} ya no está aquí. Usted está al principio de la cola.`,
  handedBack: (name) => `${capital(agent(name))} le devolvió al bot.`,
  withdrawn: 'Ya no espera. El bot responde de nuevo.',
  backWithBot: 'El bot responde de nuevo.',
  newConversation: 'Conversación nueva',
  today: 'Hoy',
  yesterday: 'Ayer',

  delivered: 'Entregado',
  seen: 'Visto',
  sending: 'Enviando…',
  waitsForConnection: 'Espera la conexión',
  waitsForAgreement: 'Espera a que acepte',

  refused: (reason) =>
    ({
      closed: 'No enviado: la conversación había terminado.',
      conversation: 'No enviado: esa conversación ya no está aquí.',
      token: 'No enviado: esa conversación ya no está aquí.',
      chosen: 'No enviado: ya se eligió otra respuesta.',
      long: 'No enviado: el mensaje es demasiado largo.',
      origin: 'No enviado: desde esta dirección no se puede chatear.',
      state: 'No enviado: ahora no es posible.',
    })[reason] ?? 'No enviado: el chat no lo aceptó.',
  delayed: (reason) =>
    `${
      { rate: 'Eso fue muy rápido.', queue: 'En este momento esperan demasiados mensajes.' }[reason] ??
      'El chat está ocupado.'
    } Se enviará de nuevo en breve.`,
  again: 'Intentar de nuevo',
  inNew: 'Enviar en una conversación nueva',
  discard: 'Descartar',

  lost: 'Conexión perdida. Se intenta de nuevo…',
  offline: 'No tiene conexión. Sus mensajes saldrán cuando la recupere.',
  isBack: 'Conectado de nuevo.',
  slow: 'El bot tarda en responder.',
  failed: 'Es posible que el bot no haya recibido su mensaje. También puede ayudarle una persona.',
  sayAgain: 'Enviarlo otra vez',
  deskLost: (name) =>
    plain(name)
      ? `La conexión con ${plain(name)} se ha interrumpido. Sus mensajes llegarán cuando vuelva.`
      : 'En este momento no hay nadie disponible. Conserva su puesto en la cola.',
  asking: 'Llamando a una persona…',
  returning: 'Volviendo al bot…',
  reallyEnd: '¿Terminar la conversación?',
  ending: 'Terminando la conversación…',
  notDone: 'No ha funcionado. Inténtelo de nuevo.',
  customers: 'El chat está lleno en este momento.',
  cannotBegin: 'El chat no se puede iniciar en este momento.',
  crowded: 'El chat está abierto en demasiadas ventanas. Esta puede ir con retraso.',
  endsWithPage: 'Este navegador no guarda nada: el chat termina cuando deja esta página.',
  notKept:
    'Este navegador no guarda nada: un mensaje sin enviar se pierde cuando cierra la página.',

  tooLong: (over) =>
    `Sobran ${count(over, { one: 'byte', other: 'bytes' })}. Envíelo en varias partes.`,
  fresh: (messages) => count(messages, { one: 'mensaje nuevo', other: 'mensajes nuevos' }),
  earlier: 'Mensajes anteriores',
  loading: 'Cargando…',
  notLoaded: 'No se pudieron cargar los mensajes anteriores. Intentar de nuevo',
  choices: 'Opciones',
  custom: 'Datos del bot',
  image: (host) => `Imagen en ${host}`,

  soundOn: 'El sonido está activado',
  soundOff: 'El sonido está desactivado',
  notifyOn: 'Las notificaciones están activadas',
  notifyOff: 'Avisarme',
  notifyDenied: 'El navegador bloquea las notificaciones',
  notSaved: 'La conversación no se pudo cargar por completo y no se guardó.',
  fileName: (day) => `chat-${day}.txt`,
  write: 'Escriba un mensaje',
  writeNew: 'Escriba para comenzar una conversación nueva',
};
