// What the page knows of the customer's conversations: the numbered events in their order, and the
// present state. Works out which menus can be chosen from, which lines went to a person, and the
// marks of these lines. It draws nothing, sends nothing and stores nothing.

/** The counter in an event's id, `EPOCH-N`. */
export const numberOf = (id) => Number(id.slice(id.lastIndexOf('-') + 1));

export class Talk {
  /**
   * The events, oldest first. Each has the stream's fields; `n`, the counter in its id; and `owner`
   * and `agent`, the conversation's state and latest agent before the event, if they are known.
   */
  events = [];
  /** The latest `now` event, or null before the first one. */
  now = null;
  /** Whether the gateway has events before the first one here. */
  hasEarlier = false;
  /** The state and the latest agent after the last event, by conversation. */
  #course = new Map();
  /** The numbers of the latest delivered and the latest seen entry, by conversation. */
  #marks = new Map();
  /** The counter of the latest event after which earlier buttons cannot be chosen. */
  #barrier = 0;

  /** The id of the last event, after which the stream continues, or null. */
  get last() {
    return this.events.at(-1)?.id ?? null;
  }

  /** The id of the present conversation: the one that goes on, or the latest one. */
  get conversation() {
    return this.now?.conversation ?? this.events.at(-1)?.conversation ?? null;
  }

  get state() {
    return this.now?.state ?? this.#latest(({ event }) => event === 'state')?.state ?? 'bot';
  }

  /** The name of the present conversation's agent, or of its latest agent. */
  get agent() {
    const isNamed = ({ admin, conversation }) => admin && conversation === this.conversation;
    return this.now?.admin ?? this.#latest(isNamed)?.admin ?? null;
  }

  /** Why the present conversation ended, as far as the customer can know it. */
  get reason() {
    const isEnd = ({ state, conversation }) =>
      state === 'closed' && conversation === this.conversation;
    const end = this.#latest(isEnd);
    return end ? endOf(end) : null;
  }

  /** Notes that the customer has accepted the notice, until the gateway says so in a `now`. */
  agree() {
    this.now &&= { ...this.now, must_agree: false };
  }

  /**
   * Takes events of a stream in their order. Returns what is new: `{reset, added, moved}`;
   * `moved` are messages that stand in another conversation now. An event that is known already is
   * passed over.
   */
  apply(events) {
    const changes = { reset: false, added: [], moved: [] };
    for (const event of events) {
      switch (event.event) {
        case 'reset':
          this.#forget();
          this.hasEarlier = event.first > 1;
          Object.assign(changes, { reset: true, added: [], moved: [] });
          break;
        case 'now':
          this.now = event;
          this.#raise(event);
          break;
        case 'message':
        case 'state':
          if (this.#take(event)) {
            changes.added.push(this.events.at(-1));
            changes.moved.push(...this.#move(this.events.at(-1)));
          }
          break;
        default:
          // An event of a later release.
          break;
      }
    }
    return changes;
  }

  /** Takes older events, oldest first. */
  prepend(events, hasEarlier) {
    const first = this.events[0]?.n ?? Infinity;
    const older = events
      .filter(({ event, id }) => id && (event === 'message' || event === 'state'))
      .map((event) => ({ ...event, n: numberOf(event.id) }))
      .filter(({ n }) => n < first);
    const course = new Map();
    older.forEach((event) => follow(course, event));
    for (const event of this.events) {
      event.owner ??= course.get(event.conversation)?.owner;
      event.agent ??= course.get(event.conversation)?.agent;
    }
    this.events.unshift(...older);
    this.hasEarlier = hasEarlier && older.length > 0;
    older.forEach((_, index) => this.#noteChoice(index));
    this.events.forEach((event) => this.#move(event));
  }

  /** Whether the transcript has the customer's entry with this number. */
  has({ conversation, number }) {
    return this.events.some(
      (event) =>
        event.author === 'user' && event.conversation === conversation && event.number === number,
    );
  }

  /** All that a new tab needs to show the same conversations. */
  snapshot() {
    const reset = { event: 'reset', first: this.hasEarlier ? (this.events[0]?.n ?? 2) : 1 };
    return [...(this.now ? [this.now] : []), reset, ...this.events];
  }

  /** Whether a button of this bot's message can be chosen. */
  isLive(event) {
    const isNow = event.conversation === this.conversation && this.state === 'bot';
    return isNow && event.n > this.#barrier;
  }

  /** The mark of a line that the customer sent to a person: `'seen'`, `'delivered'` or null. */
  mark(event) {
    if (event.author !== 'user' || this.#ownerAt(event) === 'bot') {
      return null;
    }
    const { delivered = 0, seen = 0 } = this.#marks.get(event.conversation) ?? {};
    if (event.number <= seen) {
      return 'seen';
    }
    return event.number <= delivered ? 'delivered' : null;
  }

  #forget() {
    this.events = [];
    this.#course = new Map();
    this.#barrier = 0;
  }

  #take(event) {
    const n = numberOf(event.id);
    if (n <= (this.events.at(-1)?.n ?? 0)) {
      return false;
    }
    const taken = { ...event, n };
    follow(this.#course, taken);
    this.events.push(taken);
    if (event.event === 'state' || event.author === 'user') {
      this.#barrier = n;
    }
    this.#noteChoice(this.events.length - 1);
    return true;
  }

  /**
   * A conversation that replaces another one repeats that one's undelivered messages
   * (docs/PROTOCOL.md, "After a fork"). Marks the messages in the former conversation as moved, and
   * returns them.
   */
  #move(event) {
    const { event: name, n, conversation, at, author, text } = event;
    if (name !== 'message') {
      return [];
    }
    const former = this.events.filter((other) => other.n < n && other.at === at &&
      other.event === name && other.author === author && other.text === text &&
      other.conversation !== conversation);
    former.forEach((other) => {
      other.isMoved = true;
    });
    return former;
  }

  /** Marks the button that the customer's line at `index` chose, in the reply right before it. */
  #noteChoice(index) {
    const line = this.events[index];
    if (line.author !== 'user') {
      return;
    }
    const reply = [];
    for (let at = index - 1; at >= 0 && this.events[at].author === 'bot'; at -= 1) {
      reply.unshift(this.events[at]);
    }
    const buttons = reply.flatMap((event) =>
      (event.buttons ?? []).filter(({ choice }) => choice).map((button) => ({ event, button })),
    );
    const chosen =
      buttons.find(({ button }) => line.text === `${button.choice}) ${button.title}`) ??
      buttons.find(({ button }) => line.text === button.title);
    if (chosen) {
      chosen.event.chosen = chosen.button.choice;
    }
  }

  /** The owner of the conversation when this event came, which is the state before the event. */
  #ownerAt(event) {
    if (event.owner) {
      return event.owner;
    }
    // No earlier `state` event is known here. The next one tells what the state was before it.
    const after = this.events.find(
      ({ event: name, n, conversation }) =>
        name === 'state' && n > event.n && conversation === event.conversation,
    );
    if (!this.hasEarlier || after?.state === 'queued') {
      return 'bot';
    }
    return after ? 'active' : this.state;
  }

  #raise({ conversation, delivered = 0, seen = 0 }) {
    const known = this.#marks.get(conversation) ?? { delivered: 0, seen: 0 };
    this.#marks.set(conversation, {
      delivered: Math.max(known.delivered, delivered),
      seen: Math.max(known.seen, seen),
    });
  }

  #latest(fits) {
    return this.events.findLast(fits);
  }
}

/** Notes the owner and the agent before an event in it, and those after it in `course`. */
function follow(course, event) {
  const before = course.get(event.conversation) ?? {};
  event.owner = before.owner;
  event.agent = before.agent;
  if (event.event === 'state') {
    const agent = event.admin ?? before.agent;
    course.set(event.conversation, { owner: event.state, agent });
  }
}

/**
 * The reason in a `state` event, or null if the desk closed a conversation in which no agent was
 * there since the customer's request: nobody can be said to have ended it.
 */
export const endOf = ({ reason, owner }) =>
  reason === 'admin_closed' && (owner === 'queued' || owner === 'bot') ? null : reason;

/** Whether the event is a message that is not the customer's own. */
export const isFromOther = (event) => event.event === 'message' && event.author !== 'user';
