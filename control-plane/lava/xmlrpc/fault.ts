import type { ErrorCode } from "#protocol/api.ts";
import { AppError } from "../../domain/app-error.ts";

/** LAVA's fault codes (API.md 4); those below zero are of the fault code specification that it follows. */
export const NO_METHOD = -32601;
export const BAD_CALL = -32602;
export const INTERNAL = -32603;

/** An answer to a call that failed: `code` and `message` are the fault's. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const CODES = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  not_allowed: 400,
  conflict: 400,
  gone: 404,
  too_large: 400,
  throttled: 429,
  unavailable: 503,
  internal: INTERNAL,
} as const satisfies Record<ErrorCode, number>;

/** The fault that a refusal becomes; undefined for what is none, which nobody is told of. */
export function faultOf(error: unknown): Fault | undefined {
  if (error instanceof Fault) return error;
  if (error instanceof AppError) return new Fault(CODES[error.code], error.message);
  return undefined;
}

/** Says in LAVA's words that something is not there, as clients look for them: `Job '9999' was not found.` */
export async function named<T>(kind: string, name: string | number, found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "not_found") throw error;
    throw new Fault(404, `${kind} '${name}' was not found.`);
  }
}
