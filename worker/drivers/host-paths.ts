import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { hostEnvironment } from "../host/spawn.ts";
import { JobFailure } from "../pipeline/job-failure.ts";

/** A folder or file of the host's that this container was lent: its name there, and in here. */
interface Lent {
  readonly source: string;
  readonly target: string;
}

const known = new Map<string, readonly Lent[]>();

/**
 * What a path of this process is called where the containers are started: something else when the worker is in a container
 * itself and has only the daemon's socket. `client` is the command line of the client without its order. A path that nobody
 * lent is returned as it is: it is the host's own (`test_docker_bind_mounts`).
 *
 * @throws JobFailure Infrastructure when the daemon can't be asked.
 */
export function hostPath(client: readonly [string, ...string[]], path: string): string {
  const own = ownContainer();
  if (own === undefined) return path;
  const key = client.join("\0");
  const lent = known.get(key) ?? lentTo(own, client);
  known.set(key, lent);
  return throughLent(lent, path);
}

/** The path by the folder that is nearest to it. */
export function throughLent(lent: readonly Lent[], path: string): string {
  const nearest = lent
    .filter(({ target }) => path === target || path.startsWith(`${target}/`))
    .sort((a, b) => b.target.length - a.target.length)[0];
  return nearest ? nearest.source + path.slice(nearest.target.length) : path;
}

/** The id of the container that this process is in: docker and podman lend it a file of their own of that name. */
export function containerOf(mountinfo: string): string | undefined {
  return /\/([0-9a-f]{64})\/(?:userdata\/)?hostname \/etc\/hostname /.exec(mountinfo)?.[1];
}

function ownContainer(): string | undefined {
  try {
    return containerOf(readFileSync("/proc/self/mountinfo", "utf8"));
  } catch {
    return undefined;
  }
}

/** Exported for its tests. */
export function lentTo(id: string, [program, ...options]: readonly [string, ...string[]]): Lent[] {
  try {
    const args = [...options, "inspect", "--type=container", "--format={{json .Mounts}}", id];
    const text = execFileSync(program, args, {
      encoding: "utf8",
      env: hostEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 30_000,
    });
    return (JSON.parse(text) as { Source: string; Destination: string }[]).map(
      ({ Source, Destination }) => ({ source: Source, target: Destination }),
    );
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const said = stderr?.trim().split("\n").at(-1) || message;
    // Another daemon than the one that started this container: it knows nothing of us, nor of our files.
    if (/no such (container|object)/i.test(said)) return [];
    // A guess would be remembered, and lend containers folders that aren't there.
    throw new JobFailure(
      "Infrastructure",
      `${program} can't say how this worker's folders are called on its host: ${said}`,
      { cause: error },
    );
  }
}
