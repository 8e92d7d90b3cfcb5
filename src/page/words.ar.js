// Every sentence of the chat in Arabic: see words.en.js. A name keeps its own direction.

import { plain, pluralIn } from './sentence.js';

const count = pluralIn('ar');
const apart = (text) => `\u2068${text}\u2069`;
const agent = (name) => (plain(name) ? apart(plain(name)) : 'موظف');

export const words = {
  locale: 'ar',
  direction: 'rtl',

  title: 'محادثة',
  welcome: 'كيف يمكننا مساعدتك؟',
  offer: 'يجيب الروبوت فورًا. يمكنك التحدث إلى موظف في أي وقت.',
  conversation: 'المحادثة',
  messages: 'الرسائل',
  message: 'رسالة',
  send: 'إرسال',
  human: 'التحدث إلى موظف',
  back: 'العودة إلى الروبوت',
  agree: 'موافقة ومتابعة',
  whoAreYou: 'قبل أن ينضم إليك موظف: من أنت؟',
  name: 'الاسم',
  email: 'البريد الإلكتروني',
  tell: 'متابعة',
  skip: 'تخطٍّ',
  end: 'إنهاء',
  stay: 'البقاء',
  more: 'المزيد',
  close: 'إغلاق',
  apart: 'فتح في علامة تبويب جديدة',
  save: 'حفظ كنص',
  print: 'طباعة',
  unread: (messages, title) => `(${messages}) ${title}`,

  you: 'أنت',
  bot: 'الروبوت',
  agent: (name) => plain(name) || 'موظف',
  said: (who, text) => `${apart(who)}: ${apart(text)}`,

  withBot: 'يجيب الروبوت هنا',
  waiting: (position) => (position ? `في انتظار موظف، الترتيب ${position}` : 'في انتظار موظف'),
  nobodyHere: (position) =>
    position ? `لا يوجد أحد الآن، وترتيبك ${position} محفوظ` : 'لا يوجد أحد الآن',
  isHere: (name) => `${agent(name)} هنا`,
  onHold: (name) => `${agent(name)} يطلب منك الانتظار لحظة`,
  closed: (reason, name) => `انتهت. ${words.ended(reason, name)}`,
  ended: (reason, name) =>
    ({
      user_ended: 'لقد أنهيت هذه المحادثة.',
      admin_closed: `أنهى ${agent(name)} هذه المحادثة.`,
      inactivity: 'انتهت هذه المحادثة لأن أحدًا لم يكتب منذ 24 ساعة.',
      error: 'انتهت هذه المحادثة بسبب خطأ.',
    })[reason] ?? 'انتهت هذه المحادثة.',
  nextBegins: 'تبدأ رسالتك التالية محادثة جديدة.',

  queued: 'أنت في قائمة الانتظار للتحدث إلى موظف.',
  joined: (name) => `${agent(name)} هنا الآن.`,
  left: (name) => `لم يعد ${agent(name)} هنا. أنت في مقدمة قائمة الانتظار.`,
  handedBack: (name) => `أعادك ${agent(name)} إلى الروبوت.`,
  withdrawn: 'لم تعد تنتظر. يجيب الروبوت من جديد.',
  backWithBot: 'يجيب الروبوت من جديد.',
  newConversation: 'محادثة جديدة',
  today: 'اليوم',
  yesterday: 'أمس',

  delivered: 'وصلت',
  seen: 'شوهدت',
  sending: 'جارٍ الإرسال…',
  waitsForConnection: 'في انتظار الاتصال',
  waitsForAgreement: 'في انتظار موافقتك',

  refused: (reason) =>
    ({
      closed: 'لم تُرسل: كانت المحادثة قد انتهت.',
      conversation: 'لم تُرسل: لم تعد تلك المحادثة هنا.',
      token: 'لم تُرسل: لم تعد تلك المحادثة هنا.',
      chosen: 'لم تُرسل: تم اختيار إجابة أخرى.',
      long: 'لم تُرسل: الرسالة طويلة جدًا.',
      origin: 'لم تُرسل: لا يمكن استخدام المحادثة من هذا العنوان.',
      state: 'لم تُرسل: هذا غير ممكن الآن.',
    })[reason] ?? 'لم تُرسل: لم تقبلها المحادثة.',
  delayed: (reason) =>
    `${
      { rate: 'كان ذلك سريعًا جدًا.', queue: 'تنتظر رسائل كثيرة جدًا الآن.' }[reason] ??
      'المحادثة مشغولة.'
    } ستُرسل من جديد قريبًا.`,
  again: 'إعادة المحاولة',
  inNew: 'إرسال في محادثة جديدة',
  discard: 'تجاهل',

  lost: 'انقطع الاتصال. تُعاد المحاولة…',
  offline: 'أنت غير متصل. تُرسل رسائلك عندما تعود.',
  isBack: 'عاد الاتصال.',
  slow: 'يتأخر الروبوت في الإجابة.',
  failed: 'ربما لم تصل رسالتك إلى الروبوت. يمكن لموظف أن يساعدك أيضًا.',
  sayAgain: 'إرسالها مرة أخرى',
  deskLost: (name) =>
    plain(name)
      ? `انقطع الاتصال مع ${agent(name)}. تصل رسائلك عندما يعود.`
      : 'لا يمكن الوصول إلى الموظفين الآن. تحتفظ بمكانك في القائمة.',
  asking: 'يجري طلب موظف…',
  returning: 'العودة إلى الروبوت…',
  reallyEnd: 'إنهاء المحادثة؟',
  ending: 'يجري إنهاء المحادثة…',
  notDone: 'لم ينجح ذلك. يرجى المحاولة مرة أخرى.',
  customers: 'المحادثة ممتلئة الآن.',
  cannotBegin: 'لا يمكن بدء المحادثة الآن.',
  crowded: 'المحادثة مفتوحة في نوافذ كثيرة جدًا. قد تتأخر في هذه النافذة.',
  endsWithPage: 'لا يحتفظ هذا المتصفح بشيء: تنتهي المحادثة عندما تغادر هذه الصفحة.',
  notKept: 'لا يحتفظ هذا المتصفح بشيء: تضيع الرسالة غير المرسلة عندما تغلق الصفحة.',

  tooLong: (over) =>
    `أطول من المسموح بمقدار ${count(over, {
      one: 'بايت', two: 'بايت', few: 'بايتات', many: 'بايتًا', other: 'بايت',
    })}. يرجى إرسالها على أجزاء.`,
  fresh: (messages) =>
    count(messages, {
      one: 'رسالة جديدة',
      two: 'رسالتان جديدتان',
      few: 'رسائل جديدة',
      many: 'رسالة جديدة',
      other: 'رسالة جديدة',
    }),
  earlier: 'رسائل سابقة',
  loading: 'جارٍ التحميل…',
  notLoaded: 'تعذّر تحميل الرسائل السابقة. إعادة المحاولة',
  choices: 'خيارات',
  custom: 'بيانات من الروبوت',
  image: (host) => `صورة على ${apart(host)}`,

  soundOn: 'الصوت مفعّل',
  soundOff: 'الصوت متوقف',
  notifyOn: 'الإشعارات مفعّلة',
  notifyOff: 'أشعرني',
  notifyDenied: 'يحظر المتصفح الإشعارات',
  notSaved: 'تعذّر تحميل المحادثة كاملة، لذلك لم تُحفظ.',
  fileName: (day) => `chat-${day}.txt`,
  write: 'اكتب رسالة',
  writeNew: 'اكتب لتبدأ محادثة جديدة',
};
