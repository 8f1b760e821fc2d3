import type { StoredItem } from "../../ports/table.ts";
import { readAssignments, type WorkerRecord } from "../worker-record.ts";
import { checkHistory } from "./check-history.ts";
import type { Looking } from "./check-page.ts";

/** A worker: that it falls silent is noticed. */
export async function checkWorker(looking: Looking, { data }: StoredItem): Promise<void> {
  const { name, state, health, attend_at, kind } = data as WorkerRecord;
  if (state === "Online" && attend_at === undefined && !looking.isClosed && kind !== "stock") {
    const { jobIds } = await readAssignments(looking.deps, name);
    const jobs = jobIds.length > 0 ? `, with jobs ${jobIds.join(", ")}` : "";
    looking.say("stuck-job", `worker ${name}`, `it is Online, and nobody looks at it${jobs}`);
  }
  await checkHistory(looking, "worker", name, { state, health });
}
