import type { DeviceView, SubmitResponse } from "#protocol/api.ts";
import { aJob } from "./builders.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";
import { aGroupJob } from "./group-job.ts";

/** What tests of groups do with the lab of the moment; `bench` is the token of its worker. */
export function groupSteps(now: () => { lab: EmbeddedLab; bench: string }) {
  const states = (...ids: number[]) =>
    Promise.all(ids.map(async (id) => (await now().lab.job(id)).state));
  return {
    states,
    device: (hostname: string) => now().lab.api<DeviceView>(`/devices/${hostname}`),
    setHealth: async (hostname: string, health: string): Promise<void> => {
      const { lab } = now();
      await lab.api(`/devices/${hostname}/health`, { body: { health } });
      await lab.settled();
    },
    submitGroup: async (definition = aGroupJob()): Promise<number[]> => {
      const { lab } = now();
      const { job_ids } = await lab.api<SubmitResponse>("/jobs", { body: definition });
      await lab.settled();
      return job_ids;
    },
    /** Lets a job have a device, from its start to its end. */
    occupy: async (hostname: string): Promise<() => Promise<void>> => {
      const { lab, bench } = now();
      const id = await lab.submit(aJob({ lines: [`device: ${hostname}`, "priority: 100"] }));
      const { start } = await lab.sync(bench);
      const { token } = start.find(({ job_id }) => job_id === id)!;
      await lab.sync(bench, [{ job_id: id, state: "running" }]);
      return async () => void (await lab.finish(id, token, { result: "pass", lines: 0 }));
    },
  };
}
