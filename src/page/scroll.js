// Decides where the reader's view stands. At the end it follows what arrives, but never past the
// first line of it; further up an arrival does not move it, and a button says how many are new.
// Only the scroller moves, never the page around it.

/** This close to the end counts as the end. */
const NEAR = 48;
const GAP = 12;
/** What arrives within this time is one arrival. */
const BURST = 1_000;

export class Scroll {
  #scroller;
  #onFresh;
  #isAtEnd = true;
  /** Where the view stood when it was looked at last. A reader who moves it moves it away from here. */
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
   * Makes a change below the view. `arrived()` answers the elements that somebody else sent with
   * it; `isOwn` says that the customer made it.
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

  /** Makes a change above the view, and keeps the view on what it shows. */
  above(change) {
    const { scrollHeight, scrollTop } = this.#scroller;
    change();
    this.#scroller.scrollTop = scrollTop + this.#scroller.scrollHeight - scrollHeight;
    this.#note();
  }

  /** The reader wants to see the end: what arrives next does not take the view back. */
  toEnd() {
    this.#anchor = null;
    this.#end();
  }

  #end() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#note();
  }

  /** Finds out what happened: the reader moved the view, or a size changed and the view did not. */
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
