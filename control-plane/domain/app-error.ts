import type { ErrorCode, SourceProblem } from "#protocol/api.ts";

export interface AppErrorOptions {
  /** Public: what is wrong with a text that was sent, and where. */
  problems?: SourceProblem[];
  /** Public: for conflicts in log shipping. */
  nextLine?: number;
  /** Public: when to come again. */
  retryAfterSeconds?: number;
  /** Only logged. */
  context?: Record<string, unknown>;
  cause?: unknown;
}

/** A refusal. `message` is for whoever asked: it says what is wrong and what to do. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly problems: SourceProblem[] | undefined;
  readonly nextLine: number | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly context: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.problems = options.problems;
    this.nextLine = options.nextLine;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.context = options.context;
  }
}
