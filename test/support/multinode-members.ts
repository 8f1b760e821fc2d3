import type { SubmitResponse } from "#protocol/api.ts";
import type { Ticket } from "#protocol/worker-api.ts";
import { groupOfJob } from "../../worker/host/group-of-job.ts";
import type { CallOptions, Group } from "../../worker/pipeline/group.ts";
import { aJob } from "./builders.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";

export interface Members {
  readonly ids: readonly number[];
  /** The ways of the members' runners to their group, in the order of `ids`. */
  readonly groups: readonly Group[];
  readonly options: CallOptions;
  close(): void;
}

/** Submits a job of so many nodes, has one worker of a listening lab start all of them, and is their runners. */
export async function multinodeMembers(
  lab: EmbeddedLab & { readonly url: string },
  counts: Readonly<Record<string, number>>,
): Promise<Members> {
  const token = await lab.addWorker("bench");
  // Online from now on.
  await lab.sync(token);
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  for (let n = 1; n <= all; n++) await lab.addDevice(`qemu-0${n}`);
  const { job_ids: ids } = await lab.api<SubmitResponse>("/jobs", { body: definition(counts) });
  await lab.settled();
  const { start } = await lab.sync(token);
  const tickets = new Map(start.map((ticket): [number, Ticket] => [ticket.job_id, ticket]));
  await lab.sync(
    token,
    ids.map((job_id) => ({ job_id, state: "running" })),
  );
  const ways = ids.map((id) => {
    const ticket = tickets.get(id);
    const way = ticket && groupOfJob(ticket, { PUMICE_URL: lab.url });
    if (!way) throw new Error(`job ${id} was not started`);
    return way;
  });
  const log = { debug: () => {}, warning: () => {} };
  return {
    ids,
    groups: ways.map(({ group }) => group),
    options: { timeoutSeconds: 60, signal: new AbortController().signal, log },
    close: () => ways.forEach((way) => way.close()),
  };
}

function definition(counts: Readonly<Record<string, number>>): string {
  const roles = Object.entries(counts).map(
    ([name, count]) =>
      `      ${name}: {device_type: qemu, count: ${count}, context: {arch: amd64}}\n`,
  );
  const role = `role: [${Object.keys(counts).join(", ")}]`;
  return aJob()
    .replace(/device_type: .*\n/, `protocols:\n  lava-multinode:\n    roles:\n${roles.join("")}`)
    .replace(/^context: .*\n/m, "")
    .replace(/^- (deploy|boot|test):\n/gm, `- $1:\n    ${role}\n`);
}
