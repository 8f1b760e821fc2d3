import type { GroupReply, MessageReply, SyncPointReply } from "#protocol/multinode.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";

/** A role of `count` QEMU devices, as a line of YAML; `more` as in `device_type: bbb, essential: true`. */
export const aRole = (count = 1, more = "device_type: qemu"): string =>
  `{count: ${count}, ${more}, context: {arch: amd64}}`;

/** A role of guests that connect to the device of role `host`. */
export const aGuestRole = (count = 1): string =>
  `{count: ${count}, connection: ssh, host_role: host, expect_role: host, request: lava-start}`;

/** A small multinode definition; a role's actions are those of a QEMU job, a guest's those of an ssh guest. */
export function aGroupJob(
  roles: Record<string, string> = { server: aRole(), client: aRole() },
  lines: readonly string[] = [],
): string {
  const names = Object.keys(roles);
  const guests = names.filter((name) => roles[name]!.includes("connection"));
  const others = names.filter((name) => !guests.includes(name));
  return `job_name: group
visibility: public
timeouts:
  job: {minutes: 10}
  action: {minutes: 5}
protocols:
  lava-multinode:
    timeout: {seconds: 90}
    roles:
${names.map((name) => `      ${name}: ${roles[name]}\n`).join("")}${lines.map((line) => `${line}\n`).join("")}actions:
- deploy:
    role: [${others.join(", ")}]
    to: tmpfs
    images:
      kernel:
        url: http://files.test/kernel
        image_arg: -kernel {kernel}
- boot:
    role: [${others.join(", ")}]
    method: qemu
    prompts: ["login:"]
${guests.length > 0 ? guestActions(guests) : ""}- test:
    role: [${names.join(", ")}]
    definitions:
    - name: talk
      from: inline
      path: inline/talk.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: talk}
        run:
          steps: [lava-sync here]
`;
}

const guestActions = (guests: readonly string[]): string => `- deploy:
    role: [${guests.join(", ")}]
    to: ssh
    connection: ssh
- boot:
    role: [${guests.join(", ")}]
    method: ssh
    prompts: ["# "]
`;

export interface Member {
  id: number;
  token: string;
}
export type Reply = GroupReply | MessageReply | SyncPointReply;

/** Submits a group whose jobs are started by their workers at once; answers its members in the order of their sub ids. */
export async function startGroup(
  lab: EmbeddedLab,
  definition: string,
  workers: readonly string[],
): Promise<Member[]> {
  for (const worker of workers) await lab.sync(worker);
  const { job_ids } = await lab.api<{ job_ids: number[] }>("/jobs", { body: definition });
  await lab.settled();
  const tokens = new Map<number, string>();
  for (const worker of workers) {
    const { start } = await lab.sync(worker);
    for (const { job_id, token } of start) tokens.set(job_id, token);
    const runners = start.map(({ job_id }) => ({
      job_id,
      state: "running" as const,
      log_lines: 0,
    }));
    await lab.sync(worker, runners);
  }
  return job_ids.map((id) => ({ id, token: tokens.get(id) ?? "" }));
}

/** Asks as a member's runner does, for an answer at once. */
export async function ask(
  lab: EmbeddedLab,
  { id, token }: Member,
  what: "group" | "send" | "wait" | "wait-all" | "sync" | "finish",
  body: object = {},
): Promise<Reply> {
  return lab.api<Reply>(`/jobs/${id}/multinode/${what}`, {
    token,
    body: { hold_seconds: 0, ...body },
  });
}
