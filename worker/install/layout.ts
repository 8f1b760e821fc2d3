import { existsSync } from "node:fs";
import path from "node:path";

/** Where an installed worker keeps its versions, and what says which of them runs (docs/install.md). */
export interface Layout {
  readonly dir: string;
  /** Relative to `dir`, as the links have it. */
  readonly fileOf: (version: string) => string;
  /** Symbolic links to a version's file. */
  readonly current: string;
  readonly previous: string;
  /** Two lines: the version that is being tried, and how often it was started. */
  readonly trial: string;
  /** One line: the version that has reached its control plane. */
  readonly confirmed: string;
  /** One line: the version that was given up. */
  readonly rolledBack: string;
  /** The script that the service manager starts. */
  readonly launch: string;
}

/** The names below `PREFIX/lib/pumice-worker`. */
export function layoutOf(dir: string): Layout {
  const at = (name: string): string => path.join(dir, name);
  return {
    dir,
    fileOf: (version) => path.join("versions", version, "pumice-worker"),
    current: at("current"),
    previous: at("previous"),
    trial: at("trial"),
    confirmed: at("confirmed"),
    rolledBack: at("rolled-back"),
    launch: at("launch"),
  };
}

/** The layout in which this program was installed; undefined when it is just a file somewhere. */
export function layoutOfSelf(executable = process.execPath): Layout | undefined {
  const dir = path.resolve(executable, "../../..");
  const isVersion = path.dirname(path.dirname(executable)) === path.join(dir, "versions");
  const layout = layoutOf(dir);
  return isVersion && existsSync(layout.launch) ? layout : undefined;
}
