/** What can be listened for: a worker has something to do; a job has more log or ended. */
export type Bell = `worker/${string}` | `job/${number}`;

/**
 * Doorbells: each only says "look at the table again". A ring may be lost, doubled or late, so every
 * wait is bounded and followed by a look.
 */
export interface Signals {
  ring(bell: Bell): Promise<void>;
  /** Rings from this call on are kept for the listener, so listen first and look then. */
  listen(bell: Bell): Listener;
  /** Asks for a scheduling pass of a device type, soon and outside of this call; several requests may become one pass. */
  requestPass(deviceType: string): Promise<void>;
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
