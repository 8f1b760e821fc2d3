import { setTimeout as sleep } from "node:timers/promises";
import type { ConsoleList, ConsoleView, OpenedConsole } from "#protocol/consoles.ts";
import { asciicastLines, readInput, readOutput } from "../console-recording.ts";
import { ClientError, type Client } from "./client.ts";
import { argumentsOf, JSON_HELP, JSON_OPTION, textOf, UsageError } from "./command.ts";
import type { Command, Context } from "./command.ts";
import { openWindow, showConsole } from "./console-window.ts";
import { ESCAPE_HELP } from "./escape-keys.ts";
import { printList } from "./print-list.ts";
import { printable } from "./printable.ts";

export const consoleCommands: readonly Command[] = [
  {
    usage: "console [DEVICE]",
    about: "the console of a device that you have reserved, or of a job that waits for a person",
    options: {
      job: { type: "string" },
      "read-only": { type: "boolean" },
      power: { type: "string" },
      off: { type: "boolean" },
      continue: { type: "boolean" },
    },
    help: [
      "--job ID            in place of DEVICE: the console of this job, while it waits",
      "--read-only         only watch a session that is open; needs no reservation",
      "--power on|off|reset  switch the device's power, in the session that is open or a new one",
      "--off               switch the device off when the session ends",
      "--continue          with --job: let the job go on, and leave",
      "At the begin of a line:",
      ...ESCAPE_HELP,
      "Ends with 0 when left or the job goes on, 1 when the session ended otherwise, 2 when refused.",
    ],
    run: runConsole,
  },
  {
    usage: "consoles DEVICE",
    about: "list console sessions of a device",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<ConsoleView>(
        context,
        `/devices/${encodeURIComponent(context.positionals[0] ?? "")}/consoles`,
        "consoles",
        ["ID", "STATE", "HOLDER", "JOB", "CREATED (UTC)", "REASON"],
        (one) => [
          one.id,
          one.state,
          one.holder,
          String(one.job ?? ""),
          one.created.slice(0, 19).replace("T", " "),
          printable(one.reason ?? ""),
        ],
        ["DEVICE"],
      ),
  },
  {
    usage: "consoles end ID",
    about: "end a console session: your own, or one of a device that you may change",
    run: async (context) => {
      const [id = ""] = argumentsOf(context, "ID");
      await context.client().json("DELETE", `/consoles/${encodeURIComponent(id)}`);
      context.terminal.say(`the console session ${id} has ended`);
      return 0;
    },
  },
  {
    usage: "consoles record ID",
    about: "print a session's record as asciicast v2 (for asciinema play)",
    run: printRecord,
  },
];

async function runConsole(context: Context): Promise<number> {
  const { values, terminal } = context;
  const what = whatOf(context);
  const client = context.client("patient");
  const power = textOf(values, "power");
  if (power !== undefined && !["on", "off", "reset"].includes(power)) {
    throw new UsageError("--power: expected on, off or reset");
  }
  if (values["read-only"] && ["power", "off", "continue", "job"].some((name) => values[name])) {
    throw new UsageError("--read-only excludes --power, --off, --continue and --job");
  }
  if (values["read-only"]) return watch(context, client, what.device ?? "");
  const off = values["off"] ? { off_at_end: true } : {};
  const opened = await client.json<OpenedConsole>("POST", "/consoles", { ...what, ...off });
  await untilOpen(client, opened.id, context.signal);
  if (values["continue"]) {
    await client.json("POST", `/consoles/${opened.id}/continue`);
    terminal.say(`job ${opened.job} goes on`);
    return 0;
  }
  if (power !== undefined) {
    await client.json("POST", `/consoles/${opened.id}/power`, { power });
    terminal.say(`power ${power} is asked for; the console says what came of it`);
    return 0;
  }
  const where =
    opened.job === undefined
      ? `console of ${opened.device} until ${opened.until.slice(0, 16).replace("T", " ")} UTC`
      : `console of job ${opened.job}, which waits on ${opened.device} until ~c`;
  terminal.say(`${where}; all of it is recorded, what you type too; ~. leaves, ~? says more`);
  return openWindow(context, client, opened);
}

function whatOf(context: Context): { device?: string; job?: number } {
  const text = textOf(context.values, "job");
  if (text === undefined) {
    if (context.values["continue"]) throw new UsageError("--continue needs --job ID");
    return { device: argumentsOf(context, "DEVICE")[0] ?? "" };
  }
  argumentsOf(context);
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`--job: ${text} is no job number`);
  return { job: Number(text) };
}

async function watch(context: Context, client: Client, device: string): Promise<number> {
  const where = `/devices/${encodeURIComponent(device)}/consoles`;
  const { consoles } = await client.json<ConsoleList>("GET", where);
  const open = consoles.find(({ state }) => state !== "ended");
  if (!open) throw new ClientError(`no console session of ${device} is open`);
  context.terminal.say(
    `watching the console of ${device}, which ${open.holder} has; Ctrl-C to leave`,
  );
  return showConsole(context, client, open.id, { from: "end", signal: context.signal });
}

/** Until the worker has opened the connection, or the session is over. */
async function untilOpen(client: Client, id: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { state, reason } = await client.json<ConsoleView>("GET", `/consoles/${id}`);
    if (state === "open") return;
    if (state === "ended") throw new ClientError(`the console can't be opened: ${reason ?? ""}`);
    await sleep(200, undefined, { signal });
  }
}

async function printRecord(context: Context): Promise<number> {
  const [id = ""] = argumentsOf(context, "ID");
  const client = context.client("patient");
  const where = `/consoles/${encodeURIComponent(id)}`;
  const ask = <T>(path: string): Promise<T> => client.json<T>("GET", where + path);
  const session = await ask<ConsoleView>("");
  const output = await gather(readOutput(ask, session));
  // Whoever may only watch gets what they could watch.
  const input = await gather(readInput(ask, session)).catch((error: unknown) => {
    if (error instanceof ClientError && error.status === 403) return [];
    throw error;
  });
  for (const line of asciicastLines(session, [...output, ...input])) context.terminal.out(line);
  return 0;
}

async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
