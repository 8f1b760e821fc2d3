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
  gzip(bytes: Uint8Array): Promise<Uint8Array>;
  /** Throws when the bytes are not gzip or would grow beyond `maxBytes`. */
  gunzip(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array>;
  /** For the operator, never for a client. */
  log(message: string, context?: Record<string, unknown>): void;
}
