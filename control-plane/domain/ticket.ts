import { readContext } from "#protocol/job-definition.ts";
import type { ErrorType } from "#protocol/failure.ts";
import type { Ticket } from "#protocol/worker-api.ts";
import type { Deps } from "./deps.ts";
import { renderStored } from "./device-texts.ts";
import { guestConfiguration } from "./guest-configuration.ts";
import { attemptOf, findJobItem, type JobRecord } from "./job-record.ts";
import { jobToken } from "./job-token.ts";
import { definitionBlob, deviceBlob } from "./blob-names.ts";
import { faultText } from "./rendered-device.ts";
import { endAttempt } from "./retry-job.ts";
import { retrying } from "./retrying.ts";
import { withSecrets } from "./with-secrets.ts";
import { readWorkerSettings } from "./worker-record.ts";

/**
 * What a worker needs for a job: the device rendered with the job's context, which is kept, and the worker's own settings. Undefined
 * for a job that no worker could ever run, because its definition is gone or its device does not render (any
 * more): that job ends here.
 */
export async function makeTicket(deps: Deps, job: JobRecord): Promise<Ticket | undefined> {
  const bytes = await deps.blobs.get(definitionBlob(job.id));
  if (!bytes) {
    const why = "the job's definition is missing from the control plane's storage";
    return giveUp(deps, job, "Infrastructure", why);
  }
  const definition = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const { device_type, worker = "", host_job } = job;
  // A job without a device goes to that of its host, and leaves it alone otherwise.
  const host = host_job === undefined ? undefined : (await findJobItem(deps, host_job))?.data;
  const hostname = (host ?? job).device ?? "";
  const context = readContext(definition);
  const rendered = await renderStored(deps, { hostname, device_type }, context);
  const [fault] = rendered?.faults ?? [];
  if (!rendered || fault) {
    const why = fault ? faultText(fault) : "it has none";
    return giveUp(deps, job, "Configuration", `configuration of device ${hostname}: ${why}`);
  }
  const device = host_job === undefined ? rendered.text : guestConfiguration(rendered.value);
  const [{ values, ...substituted }, { dispatcher, env, env_dut }] = await Promise.all([
    withSecrets(deps, job.submitter, definition),
    readWorkerSettings(deps, worker),
    // Whoever looks into the job later sees what it ran with, whatever has become of its device.
    deps.blobs.put(deviceBlob(job.id, attemptOf(job)), new TextEncoder().encode(device)),
  ]);
  return {
    job_id: job.id,
    token: jobToken(deps, job),
    definition: substituted.definition,
    ...(values.length > 0 ? { secrets: values } : {}),
    device,
    device_hostname: host_job === undefined ? hostname : "",
    device_type,
    dispatcher,
    env_dut,
    ...(env === "" ? {} : { env }),
  };
}

async function giveUp(
  deps: Deps,
  { id }: JobRecord,
  error_type: ErrorType,
  error_msg: string,
): Promise<undefined> {
  await retrying(async () => {
    const item = await findJobItem(deps, id);
    if (item?.data.state !== "Scheduled") return;
    await endAttempt(deps, item, { health: "Incomplete", error_type, error_msg });
  });
}
