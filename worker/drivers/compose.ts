import { runCommand, type CommandResult } from "../host/spawn.ts";
import { requireTool } from "../host/tool.ts";
import type { JobContext, RunContext } from "../pipeline/action.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { containerClient } from "./container-client.ts";

type Argv = readonly [string, ...string[]];
type ComposeContext = Pick<RunContext, "job" | "log" | "signal">;

/** Services of a compose file, under a name of their own. */
export interface ComposeProject {
  readonly name: string;
  readonly file: string;
}

/**
 * The words that start compose: the client's own `compose` (docker's plugin), else the program `docker-compose` or
 * `podman-compose`, which is what Debian 12 has.
 *
 * @throws JobFailure Infrastructure when there is none.
 */
export async function composeProgram(job: Pick<JobContext, "dispatcher">): Promise<Argv> {
  const client = containerClient(job);
  const own = await runCommand([client, "compose", "version"]);
  if (own.status === 0) return [client, "compose"];
  const program = `${client}-compose`;
  try {
    requireTool(program);
    return [program];
  } catch (cause) {
    const message = `Neither '${client} compose' nor '${program}' is on this worker: install ${program}`;
    throw new JobFailure("Infrastructure", message, { cause });
  }
}

/** Starts a service of the file, or all. @throws JobFailure Infrastructure when they don't start. */
export async function composeUp(
  context: ComposeContext,
  project: ComposeProject,
  service?: string,
): Promise<void> {
  const only = service === undefined ? [] : [service];
  await run(context, [...(await argvOf(context, project)), "up", "--detach", ...only]);
}

/** Stops them and removes their containers and networks. @throws JobFailure Infrastructure when that fails. */
export async function composeDown(context: ComposeContext, project: ComposeProject): Promise<void> {
  const argv = await argvOf(context, project);
  await run(context, [...argv, "down"]);
  if (argv[0] === "podman-compose") await removeNetworks(context, project);
}

const argvOf = async ({ job }: ComposeContext, { name, file }: ComposeProject): Promise<Argv> => [
  ...(await composeProgram(job)),
  ...["--project-name", name, "--file", file],
];

/** podman-compose 1.0 leaves them. */
async function removeNetworks({ signal }: ComposeContext, { name }: ComposeProject): Promise<void> {
  const filter = `--filter=label=com.docker.compose.project=${name}`;
  const { output } = await runCommand(["podman", "network", "ls", "--quiet", filter], { signal });
  for (const network of output.split("\n").filter((line) => line.startsWith(`${name}_`))) {
    await runCommand(["podman", "network", "rm", network], { signal });
  }
}

async function run({ signal, log }: ComposeContext, argv: Argv): Promise<void> {
  log.debug(`Calling: ${JSON.stringify(argv)}`);
  const onLine = (line: string): void => log.debug(`>> ${line}`);
  const { status, output } = await runCommand(argv, { signal, onLine });
  const failed = status === 0 && argv.includes("up") ? podmanFailure(argv, output) : status;
  if (failed === 0) return;
  const said =
    output
      .trim()
      .split("\n")
      .findLast((line) => !line.startsWith("exit code: ")) ?? "";
  const message = `'${argv.join(" ")}' failed: exit code ${failed}${said && `; it said last: ${said}`}`;
  throw new JobFailure("Infrastructure", message);
}

/** podman-compose 1.0 ends with 0 whatever happens, and prints how its calls of podman ended. */
function podmanFailure([program]: Argv, output: CommandResult["output"]): number {
  if (program !== "podman-compose") return 0;
  return Number(/^exit code: ([1-9]\d*)$/m.exec(output)?.[1] ?? 0);
}
