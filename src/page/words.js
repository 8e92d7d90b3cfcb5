// The sentences of the chat in the customer's language: the one that the page around asks for, or
// else the first of the browser's that there is a file for, or else English.

const THERE_ARE = ['en', 'ar', 'de', 'es', 'fr'];

const asked = new URLSearchParams(location.search).get('language');
const wanted = [asked, ...navigator.languages].filter(Boolean);
const codes = wanted.map((tag) => tag.slice(0, 2).toLowerCase());
const code = codes.find((it) => THERE_ARE.includes(it)) ?? 'en';

export const { words } = await import(`./words.${code}.js`);
