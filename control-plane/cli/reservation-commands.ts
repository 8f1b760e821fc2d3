import { LONGEST_RESERVATION_SECONDS, type ReservationView } from "#protocol/reservations.ts";
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

const FOR_HELP = "--for TIME          2h, 90m, 1d12h";

export const reservationCommands: readonly Command[] = [
  {
    usage: "reserve [DEVICE]",
    about: "take a device for a time: only your jobs get it (docs/queue.md)",
    options: {
      ...JSON_OPTION,
      for: { type: "string" },
      type: { type: "string" },
      tags: { type: "string" },
      reason: { type: "string" },
    },
    help: [
      FOR_HELP,
      "--type TYPE         in place of DEVICE: any of this type, an idle one if there is one",
      "--tags A,B          with --type: it must have these",
      "--reason TEXT       shown to others",
      JSON_HELP,
    ],
    run: reserve,
  },
  {
    usage: "reservations",
    about: "list reservations that have not ended",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<ReservationView>(
        context,
        "/reservations",
        "reservations",
        ["DEVICE", "HOLDER", "STATE", "UNTIL (UTC)", "ID", "REASON"],
        (one) => [
          one.device,
          one.holder,
          { text: one.state, colour: one.state === "active" ? "green" : "yellow" },
          one.until?.slice(0, 19).replace("T", " ") ?? "",
          one.id,
          printable(one.reason),
        ],
      ),
  },
  {
    usage: "reservations extend DEVICE",
    about: "make a reservation longer; its id will do as well",
    options: { for: { type: "string" } },
    help: [FOR_HELP],
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "DEVICE");
      const where = `/reservations/${encodeURIComponent(name)}/extend`;
      const body = { seconds: secondsOf(context) };
      tell(context, await context.client().json<ReservationView>("POST", where, body));
      return 0;
    },
  },
  {
    usage: "reservations end DEVICE",
    about: "give a device back before the time is over; its reservation's id will do as well",
    run: (context) =>
      removeNamed(context, "reservations", "DEVICE", (name) => `the reservation ${name} has ended`),
  },
];

async function reserve(context: Context): Promise<number> {
  const { values, positionals, terminal } = context;
  const type = textOf(values, "type");
  const tags = textOf(values, "tags")?.split(",").filter(Boolean);
  if (type !== undefined && positionals.length > 0) {
    throw new UsageError("expected DEVICE, or --type TYPE in its place");
  }
  const what =
    type === undefined ? { device: argumentsOf(context, "DEVICE")[0] } : { device_type: type };
  const made = await context.client().json<ReservationView>("POST", "/reservations", {
    ...what,
    ...(tags ? { tags } : {}),
    seconds: secondsOf(context),
    reason: textOf(values, "reason") ?? "",
  });
  if (values["json"]) terminal.out(JSON.stringify(made, undefined, 2));
  else tell(context, made);
  return 0;
}

function secondsOf({ values }: Context): number {
  const text = textOf(values, "for");
  if (text === undefined) throw new UsageError("--for TIME is missing");
  const seconds = durationSeconds(text, "--for");
  if (seconds >= 60 && seconds <= LONGEST_RESERVATION_SECONDS) return seconds;
  throw new UsageError(`--for ${text}: expected a time from 1m to a year, such as 2h`);
}

function tell({ terminal }: Context, { device, state, until = "" }: ReservationView): void {
  const when = until.slice(0, 16).replace("T", " ");
  terminal.out(
    state === "active"
      ? `${device} is yours until ${when} UTC`
      : `${device} is yours when the job that it runs has ended; it begins no other`,
  );
}
