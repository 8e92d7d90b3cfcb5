// Makes elements. Text goes in as text nodes only, so nothing that a person or a bot wrote is ever
// read as markup.

/**
 * Makes an element. `attributes` are set as attributes; `null`, `undefined` and `false` leave one
 * out. Children are nodes or texts.
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A button that calls `press`. */
export function button(attributes, label, press) {
  const element = make('button', { type: 'button', ...attributes }, label);
  element.addEventListener('click', press);
  return element;
}

/** A link that opens in a new tab. The other page learns nothing about this one. */
export function link(href, attributes, ...children) {
  const safe = { href, target: '_blank', rel: 'noopener noreferrer' };
  return make('a', { ...attributes, ...safe }, ...children);
}
