import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { lavaOverlay } from "../../../worker/actions/overlay/overlay-actions.ts";
import { definitionTest } from "../../../worker/actions/test/test-shell.ts";
import { literalRegex } from "../../../worker/console/python-regex.ts";
import { Console } from "../../../worker/console/console.ts";
import type { Transport } from "../../../worker/console/transport.ts";
import type { Action } from "../../../worker/pipeline/action.ts";
import { consoleSlot, overlaySlot, promptsSlot } from "../../../worker/pipeline/job-slots.ts";
import type { Group, MultinodeSettings } from "../../../worker/pipeline/group.ts";
import { noisyTransport, typicalNoise } from "../../beds/noisy/noisy-transport.ts";
import { DUT_PROMPT, shellDut, type DutShell } from "../../beds/noisy/shell-dut.ts";
import { aMember } from "../../support/stand-in-group.ts";
import { aJobContext, run, type Ran } from "../../support/plan-of.ts";

export interface ShellStage {
  readonly shell: DutShell;
  /** Of each definition; they are named `t0`, `t1` … */
  readonly steps: readonly (readonly string[])[];
  /** Of the first definition: `parse`, and the like. */
  readonly more?: Record<string, unknown>;
  readonly environment?: Record<string, string>;
  /** Seed of typical noise on the line, from when the test runner has started. */
  readonly noise?: number;
  readonly seconds?: number;
  /** Makes it a multinode job. */
  readonly group?: Group;
  /** `protocols.lava-multinode` then. */
  readonly multinode?: Partial<MultinodeSettings>;
}

/** Runs definitions with the real test shell on a shell of this machine, as its own terminal's only user. */
export async function runOnShell(stage: ShellStage): Promise<Ran> {
  const folder = await mkdtemp(path.join(tmpdir(), "pumice-stage-"));
  try {
    return await runIn(folder, stage);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function runIn(
  folder: string,
  { shell, steps, more = {}, environment = {}, noise, seconds = 60, group, multinode }: ShellStage,
): Promise<Ran> {
  const dut = shellDut(folder, shell);
  const definitions = steps.map((each, index) => ({
    from: "inline",
    name: `t${index}`,
    path: "t.yaml",
    repository: {
      metadata: { format: "Lava-Test Test Definition 1.0", name: `t${index}` },
      run: { steps: [...each] },
      ...(index === 0 ? more : {}),
    },
  }));
  const job = {
    ...aJobContext({
      context: {
        lava_test_sh_cmd: dut.shell,
        lava_test_results_dir: path.join(folder, "lava-%s"),
      },
      timeouts: { job: { minutes: 2 }, action: { seconds }, connection: { seconds: 30 } },
      actions: [{ boot: { method: "qemu" } }],
      environment,
      ...(group ? aMember({ environment, ...multinode }) : {}),
    }),
    group,
    scratch: path.join(folder, "scratch"),
  };
  const plan = {
    ...{ job, namespace: "common", hasShell: true, stage: 0 },
    overlayTests: [{ definitions }],
  };
  const connect: Action = {
    name: "connect",
    needs: [overlaySlot],
    gives: [consoleSlot, promptsSlot],
    run: async ({ slots, log, defer }) => {
      const { sourceDir, lavaDir } = slots.take(overlaySlot);
      await cp(sourceDir, lavaDir, { recursive: true });
      const line = await dut.open();
      const console = new Console(noise === undefined ? line : noisyOnceStarted(line, noise), {
        log: (level, text) => log.write(level, text),
      });
      defer(() => console.close());
      slots.put(consoleSlot, console);
      slots.put(promptsSlot, [literalRegex(DUT_PROMPT).source]);
    },
  };
  const overlay = lavaOverlay(plan, {}, { compress: false });
  const test = definitionTest.action({ definitions }, plan);
  return run({ name: "block", steps: [overlay, connect, test] }, { job });
}

/** What is typed before is for other tests. */
function noisyOnceStarted(inner: Transport, seed: number): Transport {
  let isNoisy = false;
  let seen = "";
  let listen: (bytes: Uint8Array) => void = () => {};
  let feed: (bytes: Uint8Array) => void = () => {};
  const noisy = noisyTransport(
    { ...inner, onData: (listener) => (feed = listener) },
    typicalNoise(seed),
  );
  return {
    onData: (listener) => {
      listen = listener;
      noisy.onData(listener);
      inner.onData((bytes) => {
        if (isNoisy) return feed(bytes);
        listen(bytes);
        seen = (seen + Buffer.from(bytes).toString("latin1")).slice(-1000);
        isNoisy = seen.includes("<LAVA_JOURNAL STARTS");
      });
    },
    onEnd: (listener) => noisy.onEnd(listener),
    write: (bytes) => (isNoisy ? noisy : inner).write(bytes),
    close: () => noisy.close(),
  };
}
