// How this page proves who the customer is: by a cookie that no script can read or, if the browser
// keeps no cookie, by a token that the page keeps and sends with each request.

import { store } from './store.js';

const KEPT = 'token';
const IS_SECURE = location.protocol === 'https:';

export const token = {
  /** Whether the browser did not send back a cookie that the gateway had set. */
  isCookieLost: false,

  /** What `begin` asks for: `cookie`, `partitioned_cookie` or `token`. */
  get way() {
    // In a frame on another site, browsers keep only cookies of this kind.
    const isForeign = document.getElementById('page').dataset.frame === 'cross-site';
    const kind = isForeign ? 'SameSite=None; Partitioned' : 'SameSite=Lax';
    const isTaken = !token.isCookieLost && (IS_SECURE || !isForeign) && takesCookie(kind);
    if (!isTaken) {
      return 'token';
    }
    return isForeign ? 'partitioned_cookie' : 'cookie';
  },

  /** Whether the customer is known only until this page is left. */
  get endsWithPage() {
    return store.read(KEPT) !== null && !store.lasts;
  },

  keep(given) {
    store.write(KEPT, given);
  },

  /** The headers of a request. */
  headers() {
    const kept = store.read(KEPT);
    return kept ? { authorization: `Bearer ${kept}` } : {};
  },
};

/** Whether the browser keeps cookies of this kind. Tries it with a test cookie. */
function takesCookie(kind) {
  const name = `${IS_SECURE ? '__Host-' : ''}handoff-test`;
  const rest = `Path=/; ${kind}${IS_SECURE ? '; Secure' : ''}`;
  try {
    document.cookie = `${name}=1; ${rest}`;
    const isTaken = document.cookie.includes(`${name}=1`);
    document.cookie = `${name}=; Max-Age=0; ${rest}`;
    return isTaken;
  } catch {
    // A frame in a sandbox may not use cookies at all.
    return false;
  }
}
