import { watch } from "node:fs";
import path from "node:path";
import type { JobDirectory } from "../host/job-directory.ts";
import { prepareBeat } from "../host/runner-beat.ts";

export interface JobEvents {
  /** Something may have changed in the job's folder, or its log has grown by much. */
  told(): void;
  /** Its log may have grown. */
  grown(): void;
}

export interface JobWatch {
  /** Whether every line of the log is wanted as it comes. */
  follow(isFollowed: boolean): void;
  close(): void;
}

/**
 * Watches a job's folder. Its log changes many times a second, and each time wakes the agent: who follows nobody's log
 * hears by the beat of a runner that it has started itself (runner-beat.ts), and of the runner of an agent before by its folder.
 * Where the system has no watches left nothing is told: the fallback timers do then.
 */
export function watchJob(dir: JobDirectory, isOwnRunner: boolean, events: JobEvents): JobWatch {
  const logName = path.basename(dir.log);
  const ofFolder = (): (() => void) | undefined =>
    watchPath(dir.root, (name) =>
      name?.startsWith(logName) === true ? events.grown() : events.told(),
    );
  const beat =
    isOwnRunner && prepareBeat(dir.beat) ? watchPath(dir.beat, () => events.told()) : undefined;
  let folder = beat ? undefined : ofFolder();
  const leaveFolder = (): void => {
    folder?.();
    folder = undefined;
  };
  return {
    follow: (isFollowed) => {
      if (!beat) return;
      if (isFollowed) folder ??= ofFolder();
      else leaveFolder();
    },
    close: () => {
      beat?.();
      leaveFolder();
    },
  };
}

/** @returns what ends it. */
function watchPath(file: string, changed: (name: string | null) => void): (() => void) | undefined {
  try {
    const watcher = watch(file, (_, name) => changed(name));
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return undefined;
  }
}
