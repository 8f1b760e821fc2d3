import type { ErrorType } from "#protocol/failure.ts";

/** The only error an action may throw on purpose; anything else becomes `Bug` in the engine. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
  readonly type: ErrorType;

  constructor(type: ErrorType, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.type = type;
  }

  static from(error: unknown): JobFailure {
    if (error instanceof JobFailure) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new JobFailure("Bug", message, { cause: error });
  }
}
