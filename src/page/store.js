// Keeps small values for this browser, in localStorage. Storage may be blocked, full or absent:
// then values live as long as the page, and `lasts` is false. Other modules decide what is kept,
// and when.

const PREFIX = 'handoff.';
const memory = new Map();

export const store = {
  /** Whether the latest write reached the browser's storage. */
  lasts: true,

  /** Whether the browser lets this page read what it keeps. */
  get canRead() {
    try {
      return Boolean(localStorage);
    } catch {
      return false;
    }
  },

  /** The value under `name`, or `missing` if there is none or it cannot be read. */
  read(name, missing = null) {
    if (memory.has(name)) {
      return memory.get(name) ?? missing;
    }
    try {
      return JSON.parse(localStorage.getItem(PREFIX + name)) ?? missing;
    } catch {
      return missing;
    }
  },

  /** The names that begin with `prefix`. */
  names(prefix) {
    const names = new Set(memory.keys());
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
      keys.forEach((key) => names.add(key.slice(PREFIX.length)));
    } catch {
      // Storage is blocked: values are only in memory.
    }
    return [...names].filter((name) => name.startsWith(prefix));
  },

  /** Keeps `value` under `name`; `null` removes it. */
  write(name, value) {
    try {
      if (value === null) {
        localStorage.removeItem(PREFIX + name);
      } else {
        localStorage.setItem(PREFIX + name, JSON.stringify(value));
      }
      memory.delete(name);
      store.lasts = true;
    } catch {
      // The browser refuses storage: the page's own memory stands in, and `lasts` says so.
      memory.set(name, value);
      store.lasts = false;
    }
  },
};
