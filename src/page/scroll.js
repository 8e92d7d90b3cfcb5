// Decides where the reader's view of the conversation stands. At the end, the view follows new
// messages, but stops when the first new line reaches the top. Further up, new messages do not move
// the view, and a button says how many there are. Only the scroller moves, never the page around
// it.

/** A view that is at most this many pixels away from the end counts as at the end. */
const NEAR = 48;
const GAP = 12;
/** Messages that come within this time, in milliseconds, count as one arrival. */
const BURST = 1_000;

export class Scroll {
  #scroller;
  #onFresh;
  #isAtEnd = true;
  /** Where the view stood at the last look. If it is elsewhere now, the reader has moved it. */
  #top = 0;
  #fresh = 0;
  #anchor = null;
  #anchoredAt = 0;

  /** `onFresh(count)` says how many messages arrived out of sight. */
  constructor(scroller, content, onFresh) {
    this.#scroller = scroller;
    this.#onFresh = onFresh;
    const look = () => this.#look();
    scroller.addEventListener('scroll', look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(scroller);
    observer.observe(content);
  }

  /**
   * Makes a change at the end of the conversation. `arrived()` returns the new elements that are
   * not the customer's own; `isOwn` says that the customer has made the change.
   */
  around(change, { arrived, isOwn }) {
    this.#look();
    const wasFollowing = this.#isAtEnd || this.#isAnchored();
    const { scrollTop } = this.#scroller;
    change();
    if (isOwn) {
      this.toEnd();
    } else if (wasFollowing) {
      this.#follow(arrived());
    } else {
      this.#scroller.scrollTop = scrollTop;
      this.#count(this.#fresh + arrived().length);
    }
  }

  /** Makes a change above the view. The view goes on to show the same messages. */
  above(change) {
    const { scrollHeight, scrollTop } = this.#scroller;
    change();
    this.#scroller.scrollTop = scrollTop + this.#scroller.scrollHeight - scrollHeight;
    this.#note();
  }

  /** Moves the view to the end, because the reader wants to be there. */
  toEnd() {
    this.#anchor = null;
    this.#end();
  }

  #end() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#note();
  }

  /**
   * Called after a scroll or a change of a size. If the reader has moved the view, notes where it
   * is. Otherwise a view at the end stays there.
   */
  #look() {
    const isMoved = Math.abs(this.#scroller.scrollTop - this.#top) > 1;
    if (isMoved) {
      this.#anchor = null;
      this.#note();
    } else if (this.#isAtEnd) {
      this.#end();
    }
  }

  #isAnchored() {
    return this.#anchor?.isConnected && Date.now() - this.#anchoredAt < BURST;
  }

  #follow(arrived) {
    const before = this.#fresh;
    if (!this.#isAnchored()) {
      this.#anchor = arrived[0];
      this.#anchoredAt = Date.now();
    }
    this.#end();
    if (this.#anchor?.isConnected) {
      const top = this.#anchor.getBoundingClientRect().top;
      const above = top - GAP - this.#scroller.getBoundingClientRect().top;
      if (above < 0) {
        this.#scroller.scrollTop += above;
        this.#note();
        const end = this.#scroller.getBoundingClientRect().bottom;
        const isBelow = (element) => element.getBoundingClientRect().top > end;
        this.#count(before + arrived.filter(isBelow).length);
      }
    }
  }

  #note() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#top = scrollTop;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#isAtEnd) {
      this.#count(0);
    }
  }

  #count(fresh) {
    if (fresh !== this.#fresh) {
      this.#fresh = fresh;
      this.#onFresh(fresh);
    }
  }
}
