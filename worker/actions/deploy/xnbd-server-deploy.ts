import { randomInt } from "node:crypto";
import { findMapping } from "../../host/mapping-of.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { slot } from "../../pipeline/slot.ts";
import { dispatcherIp } from "../../host/dispatcher-ip.ts";
import { requireTool } from "../../host/tool.ts";
import { startNbdServer } from "../../services/nbd-server.ts";
import { fileSlot } from "./network-files.ts";

/** Where the DUT finds its root device. */
export const nbdServerSlot = slot<{ readonly address: string; readonly port: number }>(
  "nbd-server",
);

/**
 * `xnbd-server-deploy`: serves `nbdroot` as the server's default export until the job ends. The DUT may write: the file is the
 * job's own.
 */
export const xnbdServerDeploy: Action = {
  name: "xnbd-server-deploy",
  needs: [fileSlot("nbdroot")],
  gives: [nbdServerSlot],
  validate: async ({ job }) => {
    requireTool("nbd-server");
    wantedPort(job);
  },
  run: async (context) => {
    const { job, slots } = context;
    const wanted = wantedPort(job);
    const file = slots.take(fileSlot("nbdroot"));
    // Any of the range may be another job's: the next one then.
    const first = randomInt(PORTS);
    const ports =
      wanted === "auto"
        ? [0, 1, 2, 3, 4].map((n) => FIRST_PORT + ((first + n * 97) % PORTS))
        : [wanted];
    const port = await startNbdServer(context, file, ports);
    slots.put(nbdServerSlot, { address: dispatcherIp(job.dispatcher), port });
  },
};

const FIRST_PORT = 55_000;
const PORTS = 1000;

/** `protocols: lava-xnbd: port` (JOB.md 8.2). */
function wantedPort({ definition }: JobContext): number | "auto" {
  const protocols = findMapping((definition as Record<string, unknown>)["protocols"]);
  const port = findMapping(protocols?.["lava-xnbd"])?.["port"] ?? "auto";
  if (port === "auto") return port;
  const number = Number(port);
  if (Number.isInteger(number) && number >= 1024 && number <= 65_535) return number;
  const message = `protocols.lava-xnbd.port '${String(port)}': expected auto or a port from 1024 on`;
  throw new JobFailure("Job", message);
}
