import type { Lab } from "#protocol/lab.ts";
import { stockTemplates } from "../stock-templates.ts";
import {
  argumentsOf,
  readNamedFile,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { refuseUsedDirectory } from "./export-command.ts";
import type { ImportWarning } from "./import-lava/asking.ts";
import { lavaClient, lavaReader, type LavaConnection } from "./import-lava/lava-client.ts";
import { readLava } from "./import-lava/read-lava.ts";
import { writeLabDirectory } from "./lab-directory/write-lab-directory.ts";
import { printable } from "./printable.ts";
import { coloured } from "./terminal.ts";

export const importLavaCommand: Command = {
  usage: "import lava --url URL",
  about: "write what a running LAVA has as files, for pumice apply (docs/lab-as-code.md)",
  isLocal: true,
  options: {
    url: { type: "string" },
    username: { type: "string" },
    token: { type: "string" },
    "token-file": { type: "string" },
    out: { type: "string" },
    force: { type: "boolean" },
  },
  help: [
    "--url URL           the LAVA: https://lava.example.com, or as lavacli has it, with https://USER:TOKEN@... and /RPC2",
    "--username USER     who asks; what that user may not see is not brought over",
    "--token TOKEN       that user's token; better in the variable PUMICE_LAVA_TOKEN, or with --token-file FILE",
    "--out DIR           where to write, `lab` when not given",
    "--force             write into a directory that has files; those of the lab which LAVA does not have are removed",
    "",
    "Brings device types with the templates and health checks that are the lab's own, devices with their dictionaries,",
    "workers with their files, tags, aliases, and the permissions of devices and device types (a superuser sees those).",
    "It only reads, and says at the end what it could not bring over.",
  ],
  run: importLava,
};

async function importLava(context: Context): Promise<number> {
  argumentsOf(context);
  const { terminal } = context;
  const connection = connectionOf(context);
  const dir = textOf(context.values, "out") || "lab";
  refuseUsedDirectory(context, dir);
  const call = lavaClient(connection);
  const version = await call("system.version");
  terminal.say(printable(`LAVA ${String(version)} at ${connection.url}`));
  const lava = { call, read: lavaReader(connection) };
  const { lab, warnings } = await readLava(lava, stockTemplates(), terminal.progress);
  terminal.progress?.("");
  const { written, removed } = writeLabDirectory(dir, lab);
  for (const warning of warnings) tell(context, warning);
  terminal.say(NOT_ASKED);
  terminal.out(`${dir}: ${counts(lab)}; files written: ${written}, removed: ${removed}`);
  terminal.say(`Next: pumice apply -f ${dir} --dry-run`);
  return 0;
}

const NOT_ASKED =
  "Not brought over, as LAVA's API does not tell them: users, members of groups, permissions of workers, jobs and results, base templates that the admin changed, and files that all workers share. The lab is closed for whom nothing is granted: docs/people.md.";

const counts = ({ devices, device_types, templates, health_checks, workers, tags, aliases }: Lab) =>
  Object.entries({ devices, "device types": device_types, templates, workers, tags, aliases })
    .concat([["health checks", health_checks]])
    .map(([what, section]) => `${what}: ${Object.keys(section ?? {}).length}`)
    .join(", ");

function tell({ terminal }: Context, { section, name, message }: ImportWarning): void {
  const what = printable([section.replaceAll("_", "-"), name].filter(Boolean).join("/"));
  terminal.say(`${coloured(terminal, "yellow", "warning:")} ${what}: ${printable(message)}`);
}

function connectionOf({ values, env, signal }: Context): LavaConnection {
  const given = textOf(values, "url");
  if (!given) throw new UsageError("--url URL is missing");
  if (!/^https?:\/\//.test(given) || !URL.canParse(given)) {
    throw new UsageError("--url: expected an http:// or https:// address");
  }
  const url = new URL(given);
  const username = textOf(values, "username") || decodeURIComponent(url.username);
  const file = textOf(values, "token-file");
  const token =
    textOf(values, "token") ||
    (file === undefined ? undefined : readNamedFile(file).trim()) ||
    decodeURIComponent(url.password) ||
    env["PUMICE_LAVA_TOKEN"]?.trim();
  if (!username) throw new UsageError("--username USER is missing: whose token is it?");
  if (!token) throw new UsageError("no token: set PUMICE_LAVA_TOKEN, or give --token-file FILE");
  url.username = "";
  url.password = "";
  if (url.pathname === "/") url.pathname = "/RPC2";
  return { url: url.href, username, token, signal };
}
