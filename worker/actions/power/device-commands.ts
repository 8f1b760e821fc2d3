import { redacted } from "../../drivers/power/outlet.ts";
import { isPowerCommand, runPowerCommand } from "../../drivers/power/power-command.ts";
import { hostEnvironment, runCommand } from "../../host/spawn.ts";
import type { JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { commandList, type DeviceCommand } from "./command-list.ts";

export interface DeviceCommandOptions {
  readonly cwd?: string;
  /** Fills in the placeholders of one word; what it puts there stays one word, whatever is in it. */
  readonly fill?: (word: string) => string;
}

/**
 * Runs a command of the device's dictionary, or each of a list in turn, on this machine: without a shell, its output
 * in the log, with LAVA_JOB_ID and the job's secrets in its environment (DISPATCHER.md 14). `pumice-power …` is run
 * by this program itself.
 *
 * @throws JobFailure Infrastructure when one fails; those after it are not run.
 */
export async function runDeviceCommands(
  context: RunContext,
  commands: unknown,
  onFailure: string,
  { cwd, fill = (word) => word }: DeviceCommandOptions = {},
): Promise<void> {
  const variables = jobVariables(context.job);
  const left = Object.keys(context.job.definition.secrets ?? {}).filter(
    (name) => !Object.hasOwn(variables, name),
  );
  if (left.length > 0) {
    context.log.debug(`not in the environment, as programs obey such names: ${left.join(", ")}`);
  }
  const env = hostEnvironment(variables);
  const where = { env, ...(cwd === undefined ? {} : { cwd }) };
  for (const { text, argv } of commandList(commands, "commands")) {
    const filled = argv.map(fill) as [string, ...string[]];
    await run(context, { text, argv: filled }, where, onFailure);
  }
}

async function run(
  { signal, log }: RunContext,
  { text, argv }: DeviceCommand,
  where: { env: Record<string, string>; cwd?: string },
  onFailure: string,
): Promise<void> {
  const shown = redacted(text);
  let last = "";
  const say = (line: string): void => {
    last = line.trim() || last;
    log.debug(`>> ${line}`);
  };
  log.debug(`Calling: ${redacted(JSON.stringify(argv))}`);
  const started = performance.now();
  const fail = (why: string, cause?: unknown): never => {
    throw new JobFailure("Infrastructure", `${onFailure}: '${shown}' failed: ${why}`, { cause });
  };
  if (isPowerCommand(argv)) {
    await runPowerCommand(argv.slice(1), { signal, say }).catch((error: unknown) => {
      signal.throwIfAborted();
      fail(JobFailure.from(error).message, error);
    });
    return;
  }
  const { status } = await runCommand(argv, { signal, ...where, onLine: say });
  log.debug(`Returned ${status} in ${Math.round((performance.now() - started) / 1000)} seconds`);
  if (status !== 0) fail(`exit code ${status}${last && `; it said last: ${redacted(last)}`}`);
}

/** What a program's loader, shell or interpreter obeys: a job's author must not give orders to the lab's own tools. */
const OBEYED =
  /^(?:LD_|DYLD_|BASH|PYTHON|PERL|RUBY|NODE_|GIT_|SSH_|GCONV_|MALLOC_|LC_|LANG)|^(?:ENV|IFS|PS4|SHELLOPTS|CDPATH|TMPDIR|HOME)$/;

/** The job's secrets by name, except where such a name would change how the lab's own commands run. */
export function jobVariables({ jobId, definition }: JobContext): Record<string, string> {
  const secrets = Object.entries(definition.secrets ?? {}).filter(
    ([name, value]) =>
      /^[A-Za-z_]\w*$/.test(name) &&
      !OBEYED.test(name) &&
      process.env[name] === undefined &&
      name !== "PATH" &&
      ["string", "number", "boolean"].includes(typeof value) &&
      !String(value).includes("\0"),
  );
  const variables = Object.fromEntries(secrets.map(([name, value]) => [name, String(value)]));
  return { ...variables, LAVA_JOB_ID: String(jobId) };
}
