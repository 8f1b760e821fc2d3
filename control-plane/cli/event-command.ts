import { argumentsOf, JSON_OPTION, textOf, UsageError, type Command } from "./command.ts";
import { connectionOf } from "./connection.ts";
import { eventsOf, type LabEvent } from "./event-stream.ts";
import { printable } from "./printable.ts";

const FILTERS = ["kind", "job", "device", "worker"] as const;
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const eventCommand: Command = {
  usage: "events",
  about: "what happens to jobs, devices and workers: of the last hour, or as it happens",
  options: {
    ...JSON_OPTION,
    follow: { type: "boolean" },
    since: { type: "string" },
    ...Object.fromEntries(FILTERS.map((name) => [name, { type: "string" } as const])),
  },
  help: [
    "--follow            go on with what happens from now on, until Ctrl-C",
    "--since TIME        30m, 2h, 1d, or 2026-11-22T10:00:00Z; at most seven days",
    "--kind KINDS        job, device, worker, event (what a DUT says by lava-test-event), or several: job,device",
    "--job ID, --device HOSTNAME, --worker NAME",
    "--json              print a line of JSON for each",
  ],
  run: async (context) => {
    argumentsOf(context);
    const { values, terminal, env, signal } = context;
    const follow = values["follow"] === true;
    const query = new URLSearchParams({ follow: String(follow) });
    for (const name of FILTERS) {
      const value = textOf(values, name);
      if (value !== undefined) query.set(name, value);
    }
    const since = textOf(values, "since") ?? (follow ? undefined : "1h");
    if (since !== undefined) query.set("after", timeOf(since));
    const onRetry = (why: string) => terminal.say(`pumice: ${printable(why)}; trying again ...`);
    const source = { ...connectionOf(values, env), query, signal, follow, onRetry };
    for await (const event of eventsOf(source)) {
      terminal.out(values["json"] ? JSON.stringify(event) : printable(lineOf(event)));
    }
    return 0;
  },
};

function timeOf(text: string): string {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) {
    const ms = Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
    return new Date(Date.now() - ms).toISOString();
  }
  if (!Number.isNaN(Date.parse(text))) return new Date(text).toISOString();
  throw new UsageError(`--since: expected 30m, 2h, 1d or a time, not ${text}`);
}

/** `2026-11-22 10:00:00 job 12: state Running → Finished, health Unknown → Complete (ann: reason)` */
function lineOf({ time, kind, name, changed, who, reason, data }: LabEvent): string {
  const at = time.slice(0, 19).replace("T", " ");
  if (kind === "event") return `${at} job ${name} says: ${String(data?.["message"])}`;
  const fields = Object.entries(changed).map(
    ([field, [before, now]]) => `${field} ${before === null ? "" : `${before} → `}${now ?? "gone"}`,
  );
  const why = reason === undefined ? who : `${who}: ${reason}`;
  return `${at} ${kind} ${name}: ${fields.join(", ")} (${why})`;
}
