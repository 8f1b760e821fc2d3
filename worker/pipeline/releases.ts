import type { ActionLog } from "./action.ts";
import { JobFailure } from "./job-failure.ts";

interface Release {
  readonly name: string;
  run(): Promise<void>;
}

/** What was acquired and must be given back, in the order it was acquired. */
export class Releases {
  readonly #stack: Release[] = [];

  get size(): number {
    return this.#stack.length;
  }

  add(name: string, run: () => Promise<void>): void {
    this.#stack.push({ name, run });
  }

  /** Gives back, last first, all that was added since there were `mark`; what fails is logged, and counted. */
  async unwind(mark: number, log: ActionLog): Promise<number> {
    let failed = 0;
    while (this.#stack.length > mark) {
      const release = this.#stack.pop();
      try {
        await release?.run();
      } catch (error) {
        failed += 1;
        const { message } = JobFailure.from(error);
        log.error(`Failed to clean after action '${release?.name}': ${message}`);
      }
    }
    return failed;
  }
}
