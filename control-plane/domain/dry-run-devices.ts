import type { JobDefinition } from "#protocol/job-definition.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { renderStored } from "./device-texts.ts";
import { checkJobFits } from "./check-job-fits.ts";
import type { JobRecord } from "./job-record.ts";
import { isPassing } from "./expect-start.ts";
import { pause } from "./pause.ts";
import { faultText } from "./rendered-device.ts";
import { obstacle, type Obstacle } from "./suits.ts";
import type { Sight } from "./visible.ts";
import type { Around } from "./waits-for.ts";
import { without } from "./without.ts";

/** A device and what keeps the job from it. */
export interface TriedDevice {
  readonly device: DeviceRecord;
  readonly fit: "free" | "later" | "no";
  /** It could run the job, were it in order and free. */
  readonly isAble: boolean;
  readonly found?: { readonly code: Obstacle["code"] | "configuration"; readonly text: string };
  readonly obstacle: Obstacle | undefined;
}

/** What no repair and no waiting changes: the job asks for another device, or its submitter may not have this one. */
const FOR_OTHERS: ReadonlySet<Obstacle["code"]> = new Set([
  "type",
  "device",
  "worker",
  "tags",
  "permission",
  "worker kind",
]);

/** Those of a type's devices that may be seen, Retired ones left out: free ones first, then those that fit later. */
export async function dryRunDevices(
  { deps, sight }: { deps: Deps; sight: Sight },
  around: Around,
  job: JobRecord,
  definition: JobDefinition,
): Promise<TriedDevice[]> {
  // A quota holds the job, whatever the device: it is told once.
  const facts = without(await around.passed.forJob(job), "quota");
  const tried: TriedDevice[] = [];
  const known = new Map<string, string | undefined>();
  for (const [index, device] of around.devices.entries()) {
    if (device.health === "Retired" || !(await sight.device(device))) continue;
    if (index % 10 === 9) await pause();
    const found = obstacle(job, device, { ...facts, ...(await around.workerFacts(device)) });
    const isOther = found !== undefined && FOR_OTHERS.has(found.code);
    const cannot = isOther ? undefined : await misfit(deps, device, definition, known);
    const why = cannot === undefined ? found : ({ code: "configuration", text: cannot } as const);
    const passes = cannot === undefined && (!found || isPassing(found));
    tried.push({
      device,
      fit: !passes ? "no" : found ? "later" : "free",
      isAble: !isOther && cannot === undefined,
      ...(why ? { found: why } : {}),
      obstacle: found,
    });
  }
  const order = ["free", "later", "no"];
  return tried.toSorted((a, b) => order.indexOf(a.fit) - order.indexOf(b.fit));
}

/** What the job asks for that the device's configuration has not. */
async function misfit(
  deps: Deps,
  device: DeviceRecord,
  definition: JobDefinition,
  known: Map<string, string | undefined>,
): Promise<string | undefined> {
  const rendered = await renderStored(deps, device, definition.context);
  if (!rendered) return "without a configuration";
  const { text, configuration, faults } = rendered;
  if (!configuration) {
    const [fault] = faults;
    return `whose configuration does not render: ${fault ? faultText(fault) : "it is empty"}`;
  }
  if (!known.has(text)) {
    const [first, ...more] = checkJobFits(definition, configuration);
    const rest = more.length > 0 ? ` (and ${more.length} more)` : "";
    known.set(text, first && `${first.message}${rest}`);
  }
  return known.get(text);
}
