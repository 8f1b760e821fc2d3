/** A real virtual device that a test or a person drives; `start` of a file in this folder makes one. */
export interface Bed {
  /** Its device dictionary, complete. */
  readonly dictionary: string;
  /** Lines for who started it by hand: where its console is, what it serves. */
  readonly hints: readonly string[];
  /** Stops everything that belongs to it. */
  close(): Promise<void>;
}
