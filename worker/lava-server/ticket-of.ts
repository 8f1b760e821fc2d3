import type { Ticket } from "#protocol/worker-api.ts";
import type { JobFiles, ListedJob } from "./lava-calls.ts";

/** A job of a LAVA server as our runner takes it. `device`: its name, where it is known. */
export function ticketOf({ id, token }: ListedJob, files: JobFiles, device: string): Ticket {
  const { definition, dispatcher, env, envDut } = files;
  return {
    job_id: id,
    token,
    definition,
    device: files.device,
    device_hostname: device,
    // The server has written the definition anew: its keys stand at the beginnings of lines.
    device_type: /^device_type: *(.+)$/m.exec(definition)?.[1]?.trim() ?? "",
    dispatcher,
    env_dut: envDut,
    env,
  };
}
