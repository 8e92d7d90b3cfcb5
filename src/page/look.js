// The look that a shop asks for: its colour (only where text stays readable), its title and its
// welcome.

import { words } from './words.js';

const root = document.documentElement;
/** The least contrast between a text and its background (WCAG 2, 1.4.3). */
const READABLE = 4.5;

/**
 * Takes the look that the page around asks for: `{color, ink, title, opening}`, each of them
 * optional.
 */
export function take({ color, ink, title, opening }) {
  words.title = title || words.title;
  words.welcome = opening || words.welcome;
  if (/^#[\da-f]{6}$/i.test(color ?? '')) {
    paint(color, ink);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', () => paint(color, ink));
  }
}

/** Paints the customer's bubbles in the colour. Texts get the colour only if it is readable. */
function paint(color, ink) {
  root.style.setProperty('--mine', color);
  root.style.setProperty('--on-mine', ink);
  const ground = getComputedStyle(root).getPropertyValue('--surface').trim();
  const isReadable = contrast(color, ground) >= READABLE;
  for (const [name, value] of [['--accent', color], ['--on-accent', ink]]) {
    if (isReadable) {
      root.style.setProperty(name, value);
    } else {
      root.style.removeProperty(name);
    }
  }
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** Relative luminance, from `#rgb` or `#rrggbb`. */
function luminance(hex) {
  const long = hex.length === 4 ? hex.replace(/[\da-f]/gi, '$&$&') : hex;
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(long.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
