// What widget.js gives a page, for TypeScript: docs/WEB.md, "On your pages".

/** The state of the customer's conversation: who answers now. */
type HandoffState = 'bot' | 'queued' | 'active' | 'closed';

interface Handoff {
  /** Opens the panel. */
  open(): void;
  /** Closes the panel. The conversation goes on. */
  close(): void;
  /** Takes the button away, too, until `open`. */
  hide(): void;
  /** The customer is this one, as the shop's backend has signed. */
  identify(identity: string): void;
  /** The customer has left: nothing of them is shown or kept in this browser any more. */
  logout(): void;
  /** Calls `listen` whenever the customer sees the panel open or close. */
  on(name: 'open', listen: (isOpen: boolean) => void): void;
  /** Calls `listen` whenever the number of unread messages changes. */
  on(name: 'unread', listen: (count: number) => void): void;
  /** Calls `listen` whenever somebody else answers. */
  on(name: 'state', listen: (state: HandoffState) => void): void;
}

interface Window {
  /** Is there once widget.js has run: then `document` has an event `handoff`. */
  handoff?: Handoff;
}
