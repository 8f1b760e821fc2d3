import type { BootBlock, CommandBlock, DeployBlock, TestBlock } from "#protocol/job-actions.ts";
import type { Action, JobContext } from "./action.ts";

/** What a strategy may know of the job around its block (DISPATCHER.md 1, "test awareness"). */
export interface StrategyContext {
  readonly job: JobContext;
  readonly namespace: string;
  /**
   * The namespace's test blocks that use the overlay, in the job's order; the index of each is its
   * stage. Empty: the deployment needs no overlay.
   */
  readonly overlayTests: readonly TestBlock[];
  /** Some test of the namespace runs in the DUT's shell. */
  readonly hasShell: boolean;
  /**
   * How many test blocks of the namespace before this one use the overlay: the index in `overlayTests` of one that does
   * (DISPATCHER.md 1, "test stage").
   */
  readonly stage: number;
}

interface StrategyOf<Family extends string, Block> {
  readonly family: Family;
  /** As LAVA's reference plans name it: `tmpfs`, `qemu`, `definition`. */
  readonly name: string;
  /**
   * Undefined when this strategy can do the block on this device, else why not. A block for another strategy is refused
   * by `the method is …`, `the deployment is to …` or `the block has no …`: such reasons are not told.
   */
  refuses(block: Block, job: JobContext): string | undefined;
  /** The plan for a block that was not refused; touches nothing. */
  action(block: Block, context: StrategyContext): Action;
}

export type DeployStrategy = StrategyOf<"deploy", DeployBlock>;
export type BootStrategy = StrategyOf<"boot", BootBlock>;
export type TestStrategy = StrategyOf<"test", TestBlock>;
export type CommandStrategy = StrategyOf<"command", CommandBlock>;
export type Strategy = DeployStrategy | BootStrategy | TestStrategy | CommandStrategy;
