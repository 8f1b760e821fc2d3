import type { PutText, TextVersion, WorkerTextName } from "#protocol/lab.ts";
import {
  JSON_HELP,
  JSON_OPTION,
  readNamedFile,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printList } from "./print-list.ts";
import { printable, printableLines } from "./printable.ts";
import { tellingProblems } from "./telling-problems.ts";

/** The texts of a worker: how its jobs run there, set in the lab and not on the board. */
export const workerCommands: readonly Command[] = [
  textCommand("env", "env", "environment of the programs of a worker's jobs"),
  textCommand("env-dut", "env_dut", "variables that a worker's jobs export on the DUT"),
  textCommand("config", "dispatcher", "configuration of a worker, LAVA's dispatcher.yaml"),
];

function textCommand(word: string, field: WorkerTextName, what: string): Command {
  return {
    usage: `workers ${word} NAME [FILE]`,
    about: `print the ${what}, or replace it by FILE`,
    options: {
      ...JSON_OPTION,
      version: { type: "string" },
      versions: { type: "boolean" },
      "put-back": { type: "string" },
      comment: { type: "string" },
    },
    help: [
      "--versions          list the versions: who changed it, when and why",
      "--version N         as it was then",
      "--put-back N        make version N the next one",
      "--comment TEXT      why; kept with the version",
      JSON_HELP,
    ],
    run: async (context) => {
      const [name, file, extra] = context.positionals;
      if (name === undefined) throw new UsageError("NAME is missing");
      if (extra !== undefined) throw new UsageError(`unexpected argument ${extra}`);
      const { values } = context;
      const ways = [file, values["version"], values["versions"], values["put-back"]];
      if (ways.filter((way) => way !== undefined).length > 1) {
        throw new UsageError("expected one of FILE, --version, --versions and --put-back");
      }
      const where = `/workers/${encodeURIComponent(name)}/texts/${field}`;
      if (values["versions"]) return listVersions(context, where);
      const back = numberOf(context, "put-back");
      if (back !== undefined) {
        const client = context.client();
        const put = await client.json<PutText>("POST", `${where}/put-back`, { version: back });
        return told(context, `${name}'s ${word}`, put);
      }
      if (file !== undefined) return putFile(context, where, file, `${name}'s ${word}`);
      const version = numberOf(context, "version");
      const query = version === undefined ? "" : `?version=${version}`;
      const text = await context.client().text(where + query);
      if (text !== "") context.terminal.out(printableLines(text.replace(/\n$/, "")));
      return 0;
    },
  };
}

const listVersions = (context: Context, where: string): Promise<number> =>
  printList<TextVersion>(
    { ...context, positionals: [] },
    `${where}/versions`,
    "versions",
    ["VERSION", "TIME", "USER", "COMMENT"],
    ({ version, time, user, comment }) => [String(version), time, user, comment],
  );

async function putFile(
  context: Context,
  where: string,
  file: string,
  what: string,
): Promise<number> {
  const comment = textOf(context.values, "comment");
  const query = comment === undefined ? "" : `?comment=${encodeURIComponent(comment)}`;
  const text = readNamedFile(file);
  const put = await tellingProblems(context, file, () =>
    context.client().send<PutText>("PUT", where + query, text),
  );
  return put ? told(context, what, put) : 2;
}

function told({ terminal }: Context, what: string, { changed, version }: PutText): number {
  terminal.say(printable(`${what} ${changed ? "is" : "was already"} version ${version}`));
  return 0;
}

function numberOf({ values }: Context, option: string): number | undefined {
  const text = textOf(values, option);
  if (text === undefined || /^[1-9]\d{0,8}$/.test(text))
    return text === undefined ? undefined : Number(text);
  throw new UsageError(`${text} is no version: 1 is the first`);
}
