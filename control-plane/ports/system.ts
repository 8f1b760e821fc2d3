/** The clock, chance and the few things that runtimes do differently. */
export interface System {
  /** Milliseconds since 1970. */
  now(): number;
  /** 16 lower-case hex digits, never the same twice in practice; not a secret. */
  id(): string;
  /** A secret of 256 bits, 43 characters of `A-Za-z0-9_-`. */
  randomToken(): string;
  /** SHA-256 as lower-case hex. */
  hash(text: string | Uint8Array): string;
  /** HMAC-SHA-256 as lower-case hex. */
  hmac(secret: string, text: string): string;
  /** A hash of a password, slow on purpose, with its salt and parameters in it (PHC's form). Another one each time. */
  slowHash(password: string): Promise<string>;
  /** Whether it is the hash of this password; as slow as making it. False for what is no such hash. */
  isSlowHashOf(password: string, hash: string): Promise<boolean>;
  /** Encrypts a text under a secret, for a place that `context` names; another cipher text each time. */
  seal(secret: string, context: string, text: string): string;
  /** The text again; undefined when it was sealed by another secret, for another place, or is damaged. */
  unseal(secret: string, context: string, sealed: string): string | undefined;
  gzip(bytes: Uint8Array): Promise<Uint8Array>;
  /** Throws when the bytes are not gzip or would grow beyond `maxBytes`. */
  gunzip(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array>;
  /** For the operator, never for a client. */
  log(message: string, context?: Record<string, unknown>): void;
}
