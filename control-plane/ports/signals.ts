/**
 * What can be listened for: a worker has something to do; a job has more log or ended; a multinode group has
 * said something; a console session has; something has changed.
 */
export type Bell =
  | `worker/${string}`
  | `job/${number}`
  | `multinode/${string}`
  | `console/${string}`
  | "changes";

/**
 * Doorbells: each only says "look at the table again". A ring may be lost, doubled or late, so every
 * wait is bounded and followed by a look.
 */
export interface Signals {
  ring(bell: Bell): Promise<void>;
  /** Rings from this call on are kept for the listener, so listen first and look then. */
  listen(bell: Bell): Listener;
  /**
   * A way to wait for a bell without us, for somebody who has no other rights: undefined where the engine has none or
   * cannot give one now; then `listen` is the way.
   */
  grantWait(bell: Bell): Promise<WaitGrant | undefined>;
  /** Removes what was made for a bell that nobody will listen for any more. */
  remove(bell: Bell): Promise<void>;
  /** The engine shuts down: whoever follows something ends. Absent where that never happens. */
  isClosed?(): boolean;
  /** Asks for a scheduling pass of a device type, soon and outside of this call; several requests may become one pass. */
  requestPass(deviceType: string): Promise<void>;
}

/** GET `url` is answered when the bell rang or after `holdSeconds`; the body has a `<Message>` when it rang. */
export interface WaitGrant {
  readonly url: string;
  /** From now on, as the one who waits measures it. */
  readonly expiresInSeconds: number;
  readonly holdSeconds: number;
}

export interface Listener {
  /**
   * True when the bell rang since `listen` or the last call; false after `timeoutMs`, when `signal` is aborted, or
   * when the engine shuts down. Never throws. One call at a time.
   */
  rung(timeoutMs: number, signal?: AbortSignal): Promise<boolean>;
  /** The caller closes every listener. */
  close(): void;
}
