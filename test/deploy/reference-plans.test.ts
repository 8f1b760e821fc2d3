import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { readJobDefinition } from "#protocol/job-definition.ts";
import { describePlan } from "../../worker/pipeline/describe-plan.ts";
import { planJob } from "../../worker/pipeline/plan.ts";
import { strategies } from "../../worker/strategies.ts";
import { aJobContext } from "../support/plan-of.ts";
import { root } from "../support/real-lab.ts";

const shared = path.resolve(root, "../shared");
const isThere = existsSync(path.join(shared, "lava/PLANS"));
if (!isThere)
  console.warn("skipped: LAVA's reference plans are not beside this checkout (../shared)");

const finalize = { name: "finalize", steps: [{ name: "power-off" }, { name: "read-feedback" }] };
const words = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) =>
      line
        .replace(/\((retries=\d+)\)/, "$1")
        .split(/\s+/)
        .filter(Boolean)
        .join(" "),
    );

describe.skipIf(!isThere)("plans of jobs for virtual devices", () => {
  test.each(["kvm-local", "kvm-overlays", "kvm-qcow2"])(
    "are LAVA's: levels, names, tries and time-outs (%s)",
    (name) => {
      const reference = readFileSync(path.join(shared, `lava/PLANS/${name}.txt`), "utf8");
      const hostname = /^# device: (\S+)/m.exec(reference)?.[1] ?? "";
      const job = readFileSync(
        path.join(shared, `corpus/jobs/lava_dispatcher__${name}.yaml`),
        "utf8",
      );
      const device = readFileSync(path.join(shared, `corpus/devices/${hostname}.json`), "utf8");
      const { definition } = readJobDefinition(job);
      const { configuration } = readDeviceConfiguration(device);
      if (!definition || !configuration) throw new Error(`${name} can't be read`);
      const context = { ...aJobContext(), definition, device: configuration };
      expect(words(describePlan(planJob(context, strategies, finalize)))).toEqual(words(reference));
    },
  );
});
