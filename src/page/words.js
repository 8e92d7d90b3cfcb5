// The sentences of the chat in the customer's language: the language that the page around asks for,
// otherwise the first of the browser's languages for which there is a file, otherwise English.

const THERE_ARE = ['en', 'ar', 'de', 'es', 'fr'];

const asked = new URLSearchParams(location.search).get('language');
const wanted = [asked, ...navigator.languages].filter(Boolean);
const codes = wanted.map((tag) => tag.slice(0, 2).toLowerCase());
const code = codes.find((it) => THERE_ARE.includes(it)) ?? 'en';

export const { words } = await import(`./words.${code}.js`);
