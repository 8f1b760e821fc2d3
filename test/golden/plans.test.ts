import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { readRunnerJob } from "#protocol/job-definition.ts";
import { stockTemplates } from "../../control-plane/stock-templates.ts";
import { renderDevice } from "../../control-plane/templates/render-device.ts";
import type { JobContext } from "../../worker/pipeline/action.ts";
import { checkPlan } from "../../worker/pipeline/check-plan.ts";
import { describePlan } from "../../worker/pipeline/describe-plan.ts";
import { plan } from "../../worker/run-ticket.ts";

const shared = path.resolve(import.meta.dirname, "../../../shared");
const index = path.join(shared, "lava/PLANS/INDEX.tsv");
const isThere = existsSync(index);
if (!isThere) console.warn(`skipped: LAVA's reference plans are not at ${index}`);

interface ReferencePlan {
  readonly name: string;
  readonly device: string;
  readonly job: string;
}

const plans: ReferencePlan[] = !isThere
  ? []
  : readFileSync(index, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split("\t"))
      .map(([name = "", device = "", job = ""]) => ({ name, device, job }));

/** Their first test has no console: LAVA finds that out when it comes to it, we before the board is touched. */
const WITHOUT_CONSOLE = new Set(["hi6220-recovery", "x15-recovery"]);

function jobOf({ device, job }: ReferencePlan): JobContext {
  const text = readFileSync(path.join(shared, `corpus/jobs/lava_dispatcher__${job}`), "utf8");
  const { definition, problems } = readRunnerJob(text);
  const { configuration } = readDeviceConfiguration(deviceText(device));
  if (!definition || !configuration) throw new Error(`${job}: ${JSON.stringify(problems)}`);
  return {
    jobId: 4212,
    definition,
    device: configuration,
    deviceHostname: device,
    deviceType: "qemu",
    dispatcher: {},
    envDut: {},
    scratch: "/nonexistent",
  };
}

/** As LAVA rendered it; where the corpus has no dictionary of that name it is that of a device type. */
function deviceText(name: string): string {
  const rendered = path.join(shared, `corpus/devices/${name}.json`);
  if (existsSync(rendered)) return readFileSync(rendered, "utf8");
  const dictionary = `{% extends '${name}.jinja2' %}`;
  return renderDevice({ name: "dut.jinja2", dictionary, loader: stockTemplates() }).text;
}

test.skipIf(!isThere)("there are reference plans", () => {
  expect(plans.length).toBeGreaterThan(30);
});

test.skipIf(!isThere).each(plans)("the plan of $name is LAVA's", (reference) => {
  const expected = readFileSync(path.join(shared, `lava/PLANS/${reference.name}.txt`), "utf8");
  const actions = plan(jobOf(reference));
  expect(describePlan(actions)).toBe(expected.replace(/^#.*\n/gm, "").trimEnd());
  if (!WITHOUT_CONSOLE.has(reference.name)) checkPlan(actions);
  else expect(() => checkPlan(actions)).toThrow("needs console");
});
