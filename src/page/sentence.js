// Helpers for the sentences of every language.

/** Marks that would change the text direction of the sentence around a name. */
const TURNS = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A name without such marks; empty if there is none. */
export const plain = (name) => (name ?? '').replace(TURNS, '').trim();

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Returns a function that chooses the noun's form for a number in this language. */
export function pluralIn(locale) {
  const rules = new Intl.PluralRules(locale);
  return (number, forms) => `${number} ${forms[rules.select(number)] ?? forms.other}`;
}
