/** Checksums of a file as downloaded, hexadecimal, lower case. */
export interface Sums {
  readonly sha256: string;
  readonly md5?: string;
  readonly sha512?: string;
}

/** Those that a job names. */
export interface WantedSums {
  readonly md5?: string | undefined;
  readonly sha256?: string | undefined;
  readonly sha512?: string | undefined;
}

/** Where the bytes of a download come from. `kept` or `failed` has to be called once. */
export interface Source {
  readonly chunks: AsyncIterable<Buffer>;
  /** Of all of them, when that is known. */
  readonly sizeBytes: number | undefined;
  /** What they were when they were cached: else the cache is spoilt. */
  readonly sha256?: string | undefined;
  /** All of them came and are right. */
  kept(sums: Sums, sizeBytes: number): Promise<void>;
  /** Something went wrong; true when bytes that were here already may be the reason: they are forgotten, asking again may help. */
  failed(error: unknown): Promise<boolean>;
}
