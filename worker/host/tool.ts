import { accessSync, constants } from "node:fs";
import path from "node:path";
import { JobFailure } from "../pipeline/job-failure.ts";
import { hostEnvironment } from "./spawn.ts";

/**
 * Makes sure, before any hardware is touched, that a program of the host is there; one with a slash is a path.
 *
 * @throws JobFailure Infrastructure when it isn't.
 */
export function requireTool(name: string): void {
  const folders = name.includes("/") ? [""] : (hostEnvironment()["PATH"] ?? "").split(":");
  const isThere = folders.some((folder) => {
    try {
      accessSync(path.join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (isThere) return;
  throw new JobFailure(
    "Infrastructure",
    `Cannot find command '${name}' in $PATH: "pumice-worker doctor" on the worker says what to install`,
  );
}
