import type { DryRun, DryRunDevice, DryRunJob } from "#protocol/dry-run.ts";
import type { PlannedStep } from "#protocol/plan.ts";
import { placeText } from "#protocol/waits-text.ts";
import { formatDuration } from "./format-time.ts";
import { depthClass, rowsOf } from "./plan-steps.ts";

/** What a submission would do. */
export function DryRunOutcome({ outcome, now }: { outcome: DryRun; now: number }) {
  const { accepted, warnings, notes, quota, jobs } = outcome;
  return (
    <section class="dry-run" aria-labelledby="dry-run-title">
      <h2 id="dry-run-title" tabindex={-1}>
        {accepted ? "Dry run: it would be accepted" : "Dry run: it would be refused"}
      </h2>
      {quota !== undefined && <p class="notice warn">{quota}</p>}
      {[...warnings.map(({ line, message }) => `Line ${line}: ${message}`), ...notes].map(
        (warning) => (
          <p class="notice warn">{warning}</p>
        ),
      )}
      {jobs.map((job) => (
        <TriedJob job={job} now={now} isOnly={jobs.length === 1} />
      ))}
      {outcome.more_roles && <p class="muted">There are more roles than are shown here.</p>}
    </section>
  );
}

function TriedJob({ job, now, isOnly }: { job: DryRunJob; now: number; isOnly: boolean }) {
  const { devices, device_type, waits, plan } = job;
  const matching = devices.filter(({ fit }) => fit !== "no").length;
  const place = waits && placeText({ reasons: [], ...waits }, now);
  const name = job.role === undefined ? device_type : `role ${job.role}`;
  return (
    <div class="tried">
      {job.role !== undefined && <h3>{roleText(job)}</h3>}
      {devices.length > 0 && (
        <>
          <p>
            <b>{`${matching} of ${devices.length} ${devices.length === 1 ? "device" : "devices"}`}</b>
            {` of type ${device_type} ${matching === 1 ? "matches" : "match"}`}
            {job.more_devices && ", of the first that were looked at"}
            {place && `; ${place}`}
          </p>
          <DeviceTable devices={devices} name={name} />
        </>
      )}
      {plan?.problem !== undefined && (
        <p class="notice bad">{`There is no plan on ${plan.device}: ${plan.problem}`}</p>
      )}
      {plan?.steps && <Plan device={plan.device} steps={plan.steps} name={name} isOpen={isOnly} />}
    </div>
  );
}

function roleText({ role, count, host_role, device_type }: DryRunJob): string {
  const where = host_role === undefined ? device_type : `beside role ${host_role}`;
  return `Role ${role}: ${count === 1 ? "one job" : `${count} jobs`}, ${where}`;
}

const FITS = {
  free: ["good", "✓", "free"],
  later: ["warn", "…", "not now"],
  no: ["bad", "✕", "no"],
} as const satisfies Record<DryRunDevice["fit"], readonly string[]>;

function DeviceTable({ devices, name }: { devices: readonly DryRunDevice[]; name: string }) {
  return (
    <table class="fits" aria-label={`Devices for ${name}`}>
      <thead>
        <tr>
          <th scope="col">Device</th>
          <th scope="col">Matches</th>
          <th scope="col">Why not</th>
        </tr>
      </thead>
      <tbody>
        {devices.map(({ hostname, fit, why }) => {
          const [tone, mark, word] = FITS[fit];
          return (
            <tr>
              <th scope="row">
                <a href={`/devices/${encodeURIComponent(hostname)}`}>{hostname}</a>
              </th>
              <td>
                <span class={`status ${tone}`}>
                  <i aria-hidden="true">{mark}</i>
                  {word}
                </span>
              </td>
              <td>{why ?? ""}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

interface PlanProps {
  device: string;
  steps: readonly PlannedStep[];
  name: string;
  isOpen: boolean;
}

function Plan({ device, steps, name, isOpen }: PlanProps) {
  const rows = rowsOf(steps);
  return (
    <details class="plan-of" open={isOpen}>
      <summary>{`The plan on ${device}: ${rows.length} steps`}</summary>
      <div class="scroll-x" tabindex={0} role="region" aria-label={`Plan for ${name}`}>
        <table class="plan">
          <thead>
            <tr>
              <th scope="col" class="level">
                Level
              </th>
              <th scope="col">Action</th>
              <th scope="col" class="number">
                Tries
              </th>
              <th scope="col" class="number">
                Time-out
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((step) => (
              <tr class={depthClass(step)}>
                <td class="level">{step.level}</td>
                <th scope="row">
                  {step.name}
                  {step.strategy !== undefined && <span class="muted">{` ${step.strategy}`}</span>}
                  {step.namespace !== undefined && (
                    <span class="muted">{`, namespace ${step.namespace}`}</span>
                  )}
                </th>
                <td class="number">{step.attempts ?? ""}</td>
                <td class="number">{formatDuration(step.timeout_seconds * 1000)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
