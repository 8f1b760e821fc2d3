/**
 * A stream of bytes to and from a DUT. One listener each; data that comes before there is a listener
 * is kept.
 */
export interface Transport {
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Called once, after the last data; `why` says how it ended, for people. */
  onEnd(listener: (why: string) => void): void;
  /** Resolves when the bytes were taken; fails when the stream is closed. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends it for good, whatever is behind it; repeating is harmless. */
  close(): Promise<void>;
}
