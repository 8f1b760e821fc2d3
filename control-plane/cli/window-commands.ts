import type { WindowView } from "#protocol/windows.ts";
import {
  argumentsOf,
  JSON_HELP,
  JSON_OPTION,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { durationSeconds } from "./duration.ts";
import { printList } from "./print-list.ts";
import { printable } from "./printable.ts";
import { removeNamed } from "./remove-named.ts";

export const windowCommands: readonly Command[] = [
  {
    usage: "windows",
    about: "list maintenance windows: times at which no job begins (docs/queue.md)",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<WindowView>(
        context,
        "/windows",
        "windows",
        ["WINDOW", "OF", "NOW OR NEXT (UTC)", "UNTIL (UTC)", "EVERY WEEK", "REASON"],
        (window) => [
          window.name,
          placeOf(window),
          window.next ? minute(window.next.from) : "over",
          window.next ? minute(window.next.to) : "",
          weeklyText(window),
          printable(window.reason),
        ],
      ),
  },
  {
    usage: "windows add NAME",
    about: "make or replace a maintenance window",
    options: {
      lab: { type: "boolean" },
      type: { type: "string" },
      worker: { type: "string" },
      device: { type: "string" },
      from: { type: "string" },
      to: { type: "string" },
      weekly: { type: "string" },
      for: { type: "string" },
      zone: { type: "string" },
      "no-drain": { type: "boolean" },
      reason: { type: "string" },
    },
    help: [
      "--lab, --type TYPE, --worker NAME or --device HOSTNAME   of what",
      "--from TIME --to TIME   once: 2026-12-01T22:00:00Z; --for 2h in place of --to",
      "--weekly sat,sun@22:00 --for 2h [--zone Europe/Berlin]   every week; the zone is UTC unless said",
      "--no-drain          begin jobs before it that may still run in it",
      "--reason TEXT       shown to those whose jobs wait",
    ],
    run: addWindow,
  },
  {
    usage: "windows remove NAME",
    about: "remove a maintenance window; jobs begin again at once",
    run: (context) => removeNamed(context, "windows"),
  },
];

async function addWindow(context: Context): Promise<number> {
  const [name = ""] = argumentsOf(context, "NAME");
  const { values } = context;
  const given = Object.entries({
    lab: values["lab"] === true ? true : undefined,
    device_type: textOf(values, "type"),
    worker: textOf(values, "worker"),
    device: textOf(values, "device"),
    ...timesOf(context),
    drain: values["no-drain"] !== true,
    reason: textOf(values, "reason"),
  }).filter(([, value]) => value !== undefined);
  const where = `/windows/${encodeURIComponent(name)}`;
  const made = await context.client().json<WindowView>("PUT", where, Object.fromEntries(given));
  const { next } = made;
  context.terminal.say(
    next
      ? `${name}: no job begins on ${placeOf(made)} from ${minute(next.from)} to ${minute(next.to)} UTC`
      : `${name} is over`,
  );
  return 0;
}

function timesOf({ values }: Context): Pick<Partial<WindowView>, "from" | "to" | "weekly"> {
  const [weekly, length] = [textOf(values, "weekly"), textOf(values, "for")];
  const seconds = length === undefined ? undefined : durationSeconds(length, "--for");
  if (weekly !== undefined) {
    const [days = "", at = ""] = weekly.split("@");
    if (seconds === undefined) throw new UsageError("--for TIME is missing: how long it is");
    return {
      weekly: {
        days: days.split(",") as NonNullable<WindowView["weekly"]>["days"],
        at,
        minutes: Math.ceil(seconds / 60),
        zone: textOf(values, "zone") ?? "UTC",
      },
    };
  }
  const from = textOf(values, "from");
  if (from === undefined) throw new UsageError("expected --from TIME, or --weekly DAYS@HH:MM");
  if (seconds === undefined) return { from, to: textOf(values, "to") };
  if (Number.isNaN(Date.parse(from))) throw new UsageError(`--from: ${from} is no time`);
  return { from, to: new Date(Date.parse(from) + seconds * 1000).toISOString() };
}

const placeOf = ({ device, device_type, worker }: WindowView): string =>
  device !== undefined
    ? `device ${device}`
    : worker !== undefined
      ? `worker ${worker}`
      : device_type !== undefined
        ? `type ${device_type}`
        : "the lab";

const minute = (time: string): string => time.slice(0, 16).replace("T", " ");

function weeklyText({ weekly }: WindowView): string {
  if (!weekly) return "";
  const { days, at, minutes, zone } = weekly;
  return `${days.join(", ")} ${at} for ${minutes} min, ${zone}`;
}
