import { describe, expect, test } from "vitest";
import type { JobDefinition } from "#protocol/job-definition.ts";
import type { Action, JobContext } from "../../worker/pipeline/action.ts";
import { describePlan } from "../../worker/pipeline/describe-plan.ts";
import { planJob } from "../../worker/pipeline/plan.ts";
import type { Strategy, StrategyContext } from "../../worker/pipeline/strategy.ts";
import { aJobContext } from "../support/plan-of.ts";

const nested: Action = {
  name: "outer",
  retries: true,
  steps: [
    { name: "middle", retries: true, steps: [{ name: "leaf" }] },
    { name: "slow", defaultTimeoutSeconds: 90 },
  ],
};

/** Accepts every block, and notes what it was told about the job. */
function anyStrategy(family: "deploy" | "boot" | "test", seen: StrategyContext[] = []): Strategy {
  return {
    family,
    name: "any",
    refuses: () => undefined,
    action: (_block: unknown, context: StrategyContext) => {
      seen.push(context);
      return nested;
    },
  };
}
const families = ["deploy", "boot", "test"] as const;
const finalize: Action = { name: "finalize", steps: [{ name: "power-off" }] };

function planned(job: JobContext, seen: StrategyContext[] = []) {
  const strategies = families.map((family) => anyStrategy(family, seen));
  return planJob(job, strategies, finalize);
}

function described(
  definition: Partial<JobDefinition>,
  device: Partial<JobContext["device"]> = {},
): string[] {
  const job = aJobContext(definition);
  const text = describePlan(planned({ ...job, device: { ...job.device, ...device } }));
  return text.split("\n").map((line) => line.trim().replace("\t", " ").replace(/ +/g, " "));
}

const boot = (more: Record<string, unknown> = {}): Partial<JobDefinition> => ({
  actions: [{ boot: { method: "x", ...more } }],
});
const minutes = { job: { minutes: 10 } };

describe("durations", () => {
  test("are 30 s, or an action's own, when nobody says otherwise", () => {
    expect(described(boot())).toEqual([
      "1 outer [boot:any] 30s",
      "1.1 middle 30s",
      "1.1.1 leaf 30s",
      "1.2 slow 90s",
      "2 finalize [finalize] 30s",
      "2.1 power-off 30s",
    ]);
  });

  test("go from the job's over the device's to the block's, the last that speaks wins", () => {
    const job = { timeouts: { ...minutes, action: { seconds: 40 } } };
    const device = { timeouts: { actions: { slow: { seconds: 50 } } } };
    const of = (definition: Partial<JobDefinition>): string | undefined =>
      described(definition, device).find((line) => line.startsWith("1.2"));
    expect(of({ ...boot(), ...job })).toBe("1.2 slow 50s");
    expect(of({ ...boot({ timeout: { minutes: 1 } }), ...job })).toBe("1.2 slow 60s");
    const named = { timeouts: { ...job.timeouts, actions: { slow: { seconds: 70 } } } };
    expect(of({ ...boot({ timeout: { minutes: 1 } }), ...named })).toBe("1.2 slow 70s");
    expect(of({ ...boot({ timeouts: { slow: { seconds: 80 } } }), ...named })).toBe("1.2 slow 80s");
  });

  test("of steps are divided by the attempts of the wrapper around them, at each level", () => {
    expect(described(boot({ timeout: { minutes: 2 }, failure_retry: 2 })).slice(0, 4)).toEqual([
      "1 outer [boot:any] retries=2 120s",
      "1.1 middle retries=2 60s",
      "1.1.1 leaf 30s",
      "1.2 slow 60s",
    ]);
  });

  test("that are named for an action are not divided", () => {
    const lines = described({
      ...boot({ timeout: { minutes: 2 }, failure_retry: 2 }),
      timeouts: { ...minutes, actions: { leaf: { seconds: 100 } } },
    });
    expect(lines).toContain("1.1.1 leaf 100s");
  });

  test("of connections go from the job's over the device's to the job's for that name", () => {
    const job = aJobContext({
      ...boot(),
      timeouts: {
        ...minutes,
        connection: { seconds: 11 },
        connections: { leaf: { seconds: 13 } },
      },
    });
    const device = {
      ...job.device,
      timeouts: { connections: { leaf: { seconds: 12 }, middle: { seconds: 12 } } },
    };
    const [outer] = planned({ ...job, device });
    const [middle] = outer?.steps ?? [];
    expect(outer?.connectionTimeoutSeconds).toBe(11);
    expect(middle?.connectionTimeoutSeconds).toBe(12);
    expect(middle?.steps[0]?.connectionTimeoutSeconds).toBe(13);
  });
});

describe("retries", () => {
  const attempts = (definition: Partial<JobDefinition>, constants: Record<string, unknown> = {}) =>
    described(definition, { constants })[0];

  test("come from the block, else from the device, where booting has its own", () => {
    expect(attempts(boot(), { failure_retry: 2 })).toBe("1 outer [boot:any] retries=2 30s");
    expect(attempts(boot(), { failure_retry: 2, boot_retry: 3 })).toContain("retries=3");
    expect(attempts(boot({ failure_retry: 4 }), { boot_retry: 3 })).toContain("retries=4");
    const deploy = { actions: [{ deploy: { to: "x" } }] };
    expect(attempts(deploy, { failure_retry: 2, boot_retry: 3 })).toContain("retries=2");
  });

  test("and repeat in one block contradict each other", () => {
    expect(() => planned(aJobContext(boot({ failure_retry: 2, repeat: 2 })))).toThrow(
      /failure_retry or repeat, not both/,
    );
  });
});

describe("namespaces", () => {
  const definitions = [{ from: "inline", name: "a", path: "a", repository: {} }];

  test("are common when nobody names one, and named by all or none", () => {
    expect(planned(aJobContext(boot())).map(({ namespace }) => namespace)).toEqual([
      "common",
      "common",
    ]);
    const mixed = { actions: [{ deploy: { to: "x", namespace: "a" } }, { boot: { method: "x" } }] };
    expect(() => planned(aJobContext(mixed))).toThrow(/actions\[1\] has no namespace/);
  });

  test.each(["common", "docker-test-shell"])("can't be named %s", (namespace) => {
    expect(() => planned(aJobContext(boot({ namespace })))).toThrow(
      `actions[0]: the namespace ${namespace} is reserved`,
    );
  });

  test("tell deploy and boot which tests want an overlay and which want a shell", () => {
    const seen: StrategyContext[] = [];
    planned(
      aJobContext({
        actions: [
          { deploy: { to: "x", namespace: "a" } },
          { boot: { method: "x", namespace: "a" } },
          { boot: { method: "x", namespace: "b" } },
          { test: { definitions, namespace: "a" } },
          { test: { monitors: [], namespace: "a" } },
          { test: { definitions, namespace: "a", "connection-namespace": "b" } },
        ],
      }),
      seen,
    );
    expect(
      seen.map(({ namespace, overlayTests, hasShell, stage }) => [
        namespace,
        overlayTests.length,
        hasShell,
        stage,
      ]),
    ).toEqual([
      ["a", 2, true, 0],
      ["a", 2, true, 0],
      ["b", 0, true, 0],
      ["a", 2, true, 0],
      ["a", 2, true, 1],
      ["a", 2, true, 1],
    ]);
  });

  test("whose connection is wanted must have been there before", () => {
    const lost = {
      actions: [{ test: { definitions, namespace: "a", "connection-namespace": "elsewhere" } }],
    };
    expect(() => planned(aJobContext(lost))).toThrow(
      "Unable to reuse connection from namespace 'elsewhere'",
    );
  });
});

test("a block that nobody can do is refused by its place, with everybody's reason but those who do something else", () => {
  const refusing = (name: string, reason: string): Strategy => ({
    ...anyStrategy("boot"),
    name,
    refuses: () => reason,
  });
  const other = refusing("three", "the method is qemu");
  const strategies = [refusing("one", "no power"), refusing("two", "no cable"), other];
  expect(() => planJob(aJobContext(boot()), strategies, finalize)).toThrow(
    "actions[0].boot can't be done on this device: one: no power; two: no cable",
  );
  expect(() =>
    planJob(aJobContext({ actions: [{ command: { name: "x" } }] }), strategies, finalize),
  ).toThrow("actions[0].command can't be done on this device: this worker has no command strategy");
  expect(() => planJob(aJobContext(boot()), [other], finalize)).toThrow(
    "actions[0].boot can't be done on this device: this worker has no boot strategy",
  );
});
