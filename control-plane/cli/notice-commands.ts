import {
  WEBHOOK_EVENTS,
  WEBHOOK_FORMATS,
  type AddedWebhook,
  type NoticeList,
  type NoticeView,
  type WebhookView,
} from "#protocol/notices.ts";
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
import { printable } from "./printable.ts";
import { printList } from "./print-list.ts";
import { removeNamed } from "./remove-named.ts";
import { table } from "./terminal.ts";

/** Webhooks, and what the lab has sent. */
export const noticeCommands: readonly Command[] = [
  {
    usage: "notices list",
    about: "the last mails, callbacks and webhook calls of the lab, or of a job of yours",
    options: {
      ...JSON_OPTION,
      job: { type: "string" },
      webhook: { type: "string" },
      state: { type: "string" },
    },
    help: [
      "--job ID            of that job",
      "--webhook ID        of that webhook",
      "--state STATE       pending, sent, failed or lapsed",
      JSON_HELP,
    ],
    run: listNotices,
  },
  {
    usage: "notices show ID",
    about: "one of them, with each try: what was sent and what came back",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: async (context) => {
      const [id = ""] = argumentsOf(context, "ID");
      printNotice(context, await context.client().json<NoticeView>("GET", noticeAt(id)));
      return 0;
    },
  },
  {
    usage: "notices replay ID",
    about: "send one of them once more",
    run: async (context) => {
      const [id = ""] = argumentsOf(context, "ID");
      await context.client().json("POST", `${noticeAt(id)}/replay`);
      context.terminal.say(`${id} is sent again; pumice notices show ${id} tells how that went`);
      return 0;
    },
  },
  {
    usage: "webhooks list",
    about: "whom the lab tells of changes",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<WebhookView>(
        context,
        "/webhooks",
        "webhooks",
        ["ID", "TO", "EVENTS", "JOBS", "FORMAT", "STATE", "DESCRIPTION"],
        ({ id, to, events, visibility = "public", format, active, why = "off", description }) =>
          [id, to, events.join(","), visibility, format, active ? "on" : why, description].map(
            printable,
          ),
      ),
  },
  {
    usage: "webhooks add URL",
    about: "tell somebody of changes, by a signed call or in a chat",
    options: {
      events: { type: "string" },
      format: { type: "string" },
      description: { type: "string" },
      visibility: { type: "string" },
      "secret-file": { type: "string" },
    },
    help: [
      `--events EVENTS     some of ${WEBHOOK_EVENTS.join(", ")}; job.finished unless told`,
      `--format FORMAT     ${WEBHOOK_FORMATS.join(", ")}; pumice (signed JSON) unless told`,
      "--visibility all    of personal jobs and those for groups, too; public ones only unless told",
      "--secret-file FILE  what signs it; made, and printed once, when not given",
      "--description TEXT",
    ],
    run: addWebhook,
  },
  {
    usage: "webhooks remove ID",
    about: "tell somebody no more",
    run: (context) =>
      removeNamed(context, "webhooks", "ID", (id) => `webhook ${id} is told no more`),
  },
  {
    usage: "webhooks enable ID",
    about: "switch one on again that failed too often",
    run: async (context) => {
      const [id = ""] = argumentsOf(context, "ID");
      await context.client().json("POST", `/webhooks/${encodeURIComponent(id)}/enable`);
      return 0;
    },
  },
  {
    usage: "notices mail-password",
    about: "give the lab the password of its mail server (settings, notices.smtp)",
    options: { file: { type: "string" }, remove: { type: "boolean" } },
    help: [
      "--file FILE         where it stands; - reads standard input",
      "--remove            forget it",
    ],
    run: mailPassword,
  },
];

const noticeAt = (id: string): string => `/notices/${encodeURIComponent(id)}`;

async function listNotices(context: Context): Promise<number> {
  argumentsOf(context);
  const { values, terminal } = context;
  const query = new URLSearchParams({ limit: "100" });
  for (const name of ["job", "webhook", "state"]) {
    const value = textOf(values, name);
    if (value !== undefined) query.set(name, value);
  }
  const list = await context.client().json<NoticeList>("GET", `/notices?${query}`);
  if (values["json"]) {
    terminal.out(JSON.stringify(list, undefined, 2));
    return 0;
  }
  const rows = list.notices.map(({ id, created, kind, event, to, state, job, tries }) => {
    const about = job === undefined ? event : `${event} ${job}`;
    const last = tries.at(-1);
    return [id, created, kind, about, to, state, last?.error ?? last?.response ?? ""].map(
      printable,
    );
  });
  terminal.out(table(terminal, ["ID", "TIME", "KIND", "ABOUT", "TO", "STATE", "LAST TRY"], rows));
  return 0;
}

function printNotice({ terminal, values }: Context, notice: NoticeView): void {
  if (values["json"]) return terminal.out(JSON.stringify(notice, undefined, 2));
  const { id, kind, event, to, state, due, tries } = notice;
  const next = due === undefined ? "" : `, due ${due}`;
  terminal.out(printable(`${id}: ${kind} of ${event} to ${to}: ${state}${next}`));
  for (const { time, request = "", response = "", error } of tries) {
    terminal.out(printable(`  ${time} ${error ?? `${request}: ${response}`}`));
  }
}

async function addWebhook(context: Context): Promise<number> {
  const [url = ""] = argumentsOf(context, "URL");
  const { values, terminal } = context;
  const file = textOf(values, "secret-file");
  const request = {
    url,
    events: (textOf(values, "events") ?? "job.finished").split(","),
    format: textOf(values, "format"),
    description: textOf(values, "description"),
    visibility: textOf(values, "visibility"),
    secret: file === undefined ? undefined : readNamedFile(file).trim(),
  };
  const { id, secret } = await context.client().json<AddedWebhook>("POST", "/webhooks", request);
  terminal.say(`webhook ${id} is told from now on`);
  if (secret !== undefined && file === undefined) {
    terminal.say("what signs it, shown this once:");
    terminal.out(secret);
  }
  return 0;
}

async function mailPassword(context: Context): Promise<number> {
  argumentsOf(context);
  const { values, terminal } = context;
  if (values["remove"]) {
    await context.client().json("DELETE", "/smtp-password");
    return 0;
  }
  const file = textOf(values, "file");
  if (file === undefined) throw new UsageError("--file FILE is missing (- reads standard input)");
  const text = readNamedFile(file === "-" ? "/dev/stdin" : file);
  await context.client().json("PUT", "/smtp-password", { value: text.trimEnd() });
  terminal.say("the lab has the password; nobody is shown it");
  return 0;
}
