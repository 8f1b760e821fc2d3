/** Something that takes what others wrote, and how to try it. */
export interface FuzzTarget {
  /** What is read, for people. */
  readonly about: string;
  /** Words that mutations put in: what the format is made of. */
  readonly words: readonly (string | Uint8Array)[];
  /** Inputs to begin with, beside the corpus. */
  seeds(): readonly (string | Uint8Array)[];
  /** Made once a thread. */
  open(): Promise<OpenTarget>;
}

export interface OpenTarget {
  /** Throws only what would be a fault of the product: refusals that it names are no fault. May be asked again with the same. */
  run(input: Uint8Array): Promise<void> | void;
  close?(): Promise<void> | void;
}

/** What is wrong with an input. */
export interface Finding {
  readonly kind: "crash" | "hang" | "growth";
  /** Of the error, with its stack. */
  readonly what: string;
  /** Two of the same fault have the same. */
  readonly key: string;
  readonly input: Uint8Array;
}
