export interface SignedRequest {
  /** Absolute, or relative to the control plane's own address. */
  readonly url: string;
  readonly method: "GET" | "PUT";
  /** Must be sent as they are. */
  readonly headers: Record<string, string>;
}

export interface SignedPut {
  readonly key: string;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly expiresInSeconds: number;
}

/**
 * Files: definitions, log chunks, attachments. Keys are `/`-separated segments of `A-Za-z0-9._=-`, none
 * starting with a dot, 500 characters at most. A blob appears whole or not at all. It survives a power cut once the signed PUT has been
 * answered, or a transaction of the table that was begun after `put` had been. Writing a key again replaces the blob.
 */
export interface Blobs {
  put(key: string, bytes: Uint8Array): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  /** Undefined when there is no such blob. */
  sizeBytes(key: string): Promise<number | undefined>;
  /** A request that whoever has it may make until it expires: exactly these bytes under exactly this key. */
  signPut(request: SignedPut): Promise<SignedRequest>;
  /** Whoever has it may ask for a part, by `Range`. */
  signGet(key: string, expiresInSeconds: number): Promise<SignedRequest>;
  /** Removes a blob; again does nothing. */
  remove(key: string): Promise<void>;
}
