import path from "node:path";

/** Where an installed worker keeps its versions, and what says which of them runs (docs/install.md). */
export interface Layout {
  readonly dir: string;
  /** Relative to `dir`, as the links have it. */
  readonly fileOf: (version: string) => string;
  /** Symbolic links to a version's file. */
  readonly current: string;
  readonly previous: string;
  /** Two lines: the version that is being tried, and how often it was started. The agent removes it at its first sync. */
  readonly trial: string;
  /** Two lines: the version that was given up, and why. */
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
    rolledBack: at("rolled-back"),
    launch: at("launch"),
  };
}

/** The layout from which the launcher started this program; undefined when it runs as a file of its own. */
export function installedLayout(env: NodeJS.ProcessEnv = process.env): Layout | undefined {
  const dir = env["PUMICE_INSTALL_DIR"];
  return dir ? layoutOf(dir) : undefined;
}
