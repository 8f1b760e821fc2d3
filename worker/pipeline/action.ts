import type { DeviceConfiguration } from "#protocol/device-configuration.ts";
import type { ErrorType } from "#protocol/failure.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import type { LogLevel, LogRecord } from "#protocol/log-record.ts";
import type { Group } from "./group.ts";
import type { Slot, Slots } from "./slot.ts";

/** What every action of a job may know of it. Nothing in here changes while the job runs. */
export interface JobContext {
  readonly jobId: number;
  readonly definition: JobDefinition;
  readonly device: DeviceConfiguration;
  readonly deviceHostname: string;
  readonly deviceType: string;
  /** `dispatcher_ip`, `prefix`, `http_url_format_string` ... of the worker's settings; may be empty. */
  readonly dispatcher: Readonly<Record<string, unknown>>;
  /** `overrides` of env-dut: exported on the DUT. */
  readonly envDut: Readonly<Record<string, string>>;
  /** Folder of the job's own files, removed at its end. */
  readonly scratch: string;
  /** Folder that the agent's TFTP server serves; undefined when the job runs without an agent. */
  readonly tftpRoot?: string | undefined;
  /** Folder of the worker's cache of downloads (cache-settings.ts); undefined when the job runs without an agent. */
  readonly cacheFolder?: string | undefined;
  /** Where a person may come to the console while the job waits (person-desk.ts); undefined when the job runs without an agent. */
  readonly consoleSocket?: string | undefined;
  /** The other members, when this is a job of a multinode group that has a control plane to talk through. */
  readonly group?: Group | undefined;
}

export interface ActionLog {
  /** Writes one log record; its line number in the log, from 0. */
  readonly write: (level: LogLevel, message: LogRecord["msg"], namespace?: string) => number;
  /** Writes lines that came together, as `write` does each; their numbers. */
  readonly writeLines: (
    level: LogLevel,
    lines: readonly string[],
    namespace?: string,
  ) => readonly number[];
  readonly debug: (message: string) => void;
  readonly info: (message: string) => void;
  readonly warning: (message: string) => void;
  readonly error: (message: string) => void;
  /** Writes a record of level `results` (DISPATCHER.md 7.4). */
  readonly result: (record: Record<string, unknown>) => void;
}

export interface RunContext {
  readonly job: JobContext;
  /** The slots of the action's namespace. */
  readonly slots: Slots;
  /**
   * The slots where the connection that the action uses is: those of the block's `connection-namespace`, else its own.
   */
  readonly connection: Slots;
  /** Slots of any namespace (feedback). */
  readonly slotsOf: (namespace: string) => Slots;
  readonly namespace: string;
  /**
   * The namespace whose DUT the job is busy with right now; what others say meanwhile is `feedback`
   * (DISPATCHER.md 7.5).
   */
  activeNamespace(): string;
  readonly level: string;
  readonly timeoutSeconds: number;
  /** Longest wait for one prompt when a wait has no deadline of its own. */
  readonly connectionTimeoutSeconds: number;
  /** Milliseconds between the characters that this part of the job (deploy, boot, test) types (DISPATCHER.md 10.5). */
  readonly characterDelayMs: number;
  /**
   * Aborts at the earliest of: cancel, the job's deadline, a parent's, its own. The reason is the
   * JobFailure to report.
   */
  readonly signal: AbortSignal;
  readonly log: ActionLog;
  /** Registers a release, run last in first out when the job ends or the enclosing action is tried again. */
  readonly defer: (release: () => Promise<void>) => void;
  /** As `defer`, for what outlives another attempt: run when the job ends, after all others. */
  readonly deferToEnd: (release: () => Promise<void>) => void;
  /** Data for the action's own result record: with it (or on failure) the action gets one. */
  readonly record: (data: Record<string, unknown>) => void;
}

export type ValidateContext = Pick<RunContext, "job" | "namespace" | "level" | "signal" | "log">;

/**
 * One step of a plan, before levels and durations are known (plan.ts adds those). Plain data: a
 * strategy makes a tree of these from an action block and a device, and touches nothing.
 */
export interface Action {
  /** LAVA's own name, so that `timeouts: actions: {name: …}` and result names match. */
  readonly name: string;
  readonly needs?: readonly Slot<unknown>[];
  readonly gives?: readonly Slot<unknown>[];
  /** LAVA's built-in duration, 30 when not said (DISPATCHER.md 2, rule 1). */
  readonly defaultTimeoutSeconds?: number;
  /** Type reported when this action's own deadline passes, `Job` when not said (DISPATCHER.md 5.2). */
  readonly onTimeout?: ErrorType;
  /** Whose words are the job's own while it runs, when not those of the block's DUT: all others are `feedback`. */
  readonly activeNamespace?: string;
  /** A retry wrapper: `failure_retry` and `repeat` of the block apply to it (DISPATCHER.md 3). */
  readonly retries?: boolean;
  readonly steps?: readonly Action[];
  /** Checked before any hardware is touched; @throws JobFailure. */
  validate?(context: ValidateContext): Promise<void>;
  /** Work of a leaf, or of a parent before its steps. */
  run?(context: RunContext): Promise<void>;
  /** Work of a parent after its steps. */
  runAfter?(context: RunContext): Promise<void>;
}
