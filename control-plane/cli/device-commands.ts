import type { DeviceConfig, PutText, TextVersion } from "#protocol/lab.ts";
import {
  argumentsOf,
  JSON_HELP,
  JSON_OPTION,
  readNamedFile,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { contextOf } from "./job-context-option.ts";
import { originLines } from "./origin-lines.ts";
import { printable, printableLines } from "./printable.ts";
import { printList } from "./print-list.ts";
import { tellingProblems } from "./telling-problems.ts";

export const deviceCommands: readonly Command[] = [
  {
    usage: "devices config HOSTNAME",
    about: "print what a device's dictionary renders to, as the control plane has it",
    options: {
      ...JSON_OPTION,
      context: { type: "string" },
      origins: { type: "boolean" },
      version: { type: "string" },
    },
    help: [
      "--context YAML      variables of a job's context, for example '{arch: arm64}'",
      "--origins           print a line for each value, and which template's line set it",
      "--version N         of the dictionary as it was then",
      JSON_HELP,
    ],
    run: printConfig,
  },
  {
    usage: "devices dictionary HOSTNAME",
    about: "print a device's dictionary, or replace it",
    options: {
      version: { type: "string" },
      set: { type: "string" },
      comment: { type: "string" },
    },
    help: [
      "--version N         as it was then",
      "--set FILE          make FILE's text the next version",
      "--comment TEXT      why; kept with the version",
    ],
    run: dictionary,
  },
  {
    usage: "devices versions HOSTNAME",
    about: "list the versions of a device's dictionary: who changed it, when and why",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) => {
      const [hostname = ""] = argumentsOf(context, "HOSTNAME");
      return printList<TextVersion>(
        { ...context, positionals: [] },
        `${deviceAt(hostname)}/versions`,
        "versions",
        ["VERSION", "TIME", "USER", "COMMENT"],
        ({ version, time, user, comment, removed }) => [
          String(version),
          time,
          user,
          removed ? `removed ${comment}`.trim() : comment,
        ],
      );
    },
  },
  {
    usage: "devices put-back HOSTNAME VERSION",
    about: "make an old version of a device's dictionary the next one",
    run: async (context) => {
      const [hostname = "", version = ""] = argumentsOf(context, "HOSTNAME", "VERSION");
      const where = `${deviceAt(hostname)}/put-back`;
      const put = await context
        .client()
        .json<PutText>("POST", where, { version: versionNumber(version) });
      return told(context, hostname, put);
    },
  },
];

const deviceAt = (hostname: string): string => `/devices/${encodeURIComponent(hostname)}`;

async function printConfig(context: Context): Promise<number> {
  const [hostname = ""] = argumentsOf(context, "HOSTNAME");
  const { values, terminal } = context;
  const query = new URLSearchParams();
  const given = textOf(values, "context");
  if (given !== undefined) query.set("context", JSON.stringify(contextOf(given)));
  const version = textOf(values, "version");
  if (version !== undefined) query.set("version", String(versionNumber(version)));
  const config = await context
    .client()
    .json<DeviceConfig>("GET", `${deviceAt(hostname)}/config?${query}`);
  for (const { template, line, message } of config.warnings) {
    terminal.say(printable(`${template}:${line}: warning: ${message}`));
  }
  if (values["json"]) terminal.out(JSON.stringify(config, undefined, 2));
  else if (values["origins"]) {
    for (const line of originLines(config.configuration, config.origins)) {
      terminal.out(printable(line));
    }
  } else terminal.out(printableLines(config.text));
  return 0;
}

async function dictionary(context: Context): Promise<number> {
  const [hostname = ""] = argumentsOf(context, "HOSTNAME");
  const { values, terminal } = context;
  const where = `${deviceAt(hostname)}/dictionary`;
  const file = textOf(values, "set");
  const version = textOf(values, "version");
  if (file === undefined) {
    const query = version === undefined ? "" : `?version=${versionNumber(version)}`;
    terminal.out((await context.client().text(where + query)).replace(/\n$/, ""));
    return 0;
  }
  if (version !== undefined) throw new UsageError("--version and --set don't go together");
  const comment = textOf(values, "comment");
  const query = comment === undefined ? "" : `?comment=${encodeURIComponent(comment)}`;
  const text = readNamedFile(file);
  const put = await tellingProblems(context, file, () =>
    context.client().send<PutText>("PUT", where + query, text),
  );
  return put ? told(context, hostname, put) : 2;
}

function told({ terminal }: Context, hostname: string, put: PutText): number {
  for (const warning of put.warnings) terminal.say(printable(`warning: ${warning}`));
  const what = put.changed ? "is" : "was already";
  terminal.say(`${hostname}'s dictionary ${what} version ${put.version}`);
  return 0;
}

function versionNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`${text} is no version: 1 is the first`);
  return Number(text);
}
