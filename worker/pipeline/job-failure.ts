import type { ErrorType, Evidence } from "#protocol/failure.ts";

/** What the system says when it has no room: the worker's fault, and no bug. */
const FULL = new Set(["ENOSPC", "EDQUOT"]);

/** How the failure of a silent board ends. */
export const SILENCE =
  "the board has not said a single character since it was powered on, reset or connected";

/** The only error an action may throw on purpose; anything else becomes `Bug` in the engine. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
  type: ErrorType;
  evidence: Evidence | undefined;

  constructor(
    type: ErrorType,
    message: string,
    options: { cause?: unknown; evidence?: Evidence } = {},
  ) {
    super(message, options);
    this.type = type;
    this.evidence = options.evidence;
  }

  /**
   * Completes a failure by what shows it; what is known already stays. The failure of a time-out is made before anybody
   * knows what was awaited then.
   */
  shownBy(evidence: Evidence): this {
    this.evidence = { ...evidence, ...this.evidence };
    return this;
  }

  /** The time was waited for a board that never said a word: that is the lab's fault, not the job's. */
  blameSilence(): void {
    this.blameLine(SILENCE);
  }

  /** What was to be the job's fault is that of the line to the board, for this reason. */
  blameLine(why: string): void {
    if (this.type !== "Job") return;
    this.type = "Infrastructure";
    this.message += `: ${why}`;
  }

  static from(error: unknown): JobFailure {
    if (error instanceof JobFailure) return error;
    const message = error instanceof Error ? error.message : String(error);
    if (FULL.has((error as NodeJS.ErrnoException | undefined)?.code ?? "")) {
      const full = `the worker's disk is full: ${message}; free space in its work folder, or give it a larger disk`;
      return new JobFailure("Infrastructure", full, { cause: error });
    }
    return new JobFailure("Bug", message, { cause: error });
  }
}
