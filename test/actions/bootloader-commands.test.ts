import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BootBlock } from "#protocol/job-actions.ts";
import { bootloaderCommands } from "../../worker/actions/bootloader/commands.ts";
import { bootloaderInterrupt } from "../../worker/actions/bootloader/interrupt.ts";
import { bootloaderOverlay } from "../../worker/actions/bootloader/overlay.ts";
import { onConsole } from "../support/on-console.ts";
import { aJobContext, run, type Ran } from "../support/plan-of.ts";
import { standInLoader, type LoaderBehaviour } from "../support/stand-in-loader.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-loader-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Conversation extends LoaderBehaviour {
  readonly commands: string[];
  readonly constants?: object;
  readonly parameters?: object;
  readonly awaitsFinal?: boolean;
  readonly timeoutSeconds?: number;
}

function talk(conversation: Conversation): Promise<Ran> {
  const { commands, constants, parameters, awaitsFinal, timeoutSeconds = 20 } = conversation;
  const block: BootBlock = { method: "u-boot", commands };
  const job = aJobContext({
    actions: [{ boot: block }],
    timeouts: { job: { minutes: 1 }, action: { seconds: timeoutSeconds } },
  });
  const device = {
    ...job.device,
    constants: {
      "u-boot": { "error-messages": ["TIMEOUT", "Retry count exceeded; \\d+"], ...constants },
    },
    actions: {
      ...job.device.actions,
      boot: { methods: { "u-boot": { parameters: parameters ?? {} } } },
    },
  };
  const script = standInLoader(folder, conversation);
  const steps = [
    bootloaderOverlay("u-boot", block),
    bootloaderInterrupt("u-boot"),
    bootloaderCommands("u-boot", block, awaitsFinal === undefined ? {} : { awaitsFinal }),
  ];
  return run(onConsole({ script }, steps), { job: { ...job, device } });
}

const executed = ({ records }: Ran): string[] =>
  records
    .filter(({ lvl, msg }) => lvl === "target" && String(msg).startsWith("RUN "))
    .map(({ msg }) => String(msg).slice(4));

describe("the conversation with a bootloader", () => {
  test("interrupts it, types each command at its prompt and ends when it hands over", async () => {
    // A block of YAML ends with a line end, and may have more of them.
    const commands = ["dhcp\nsetenv bootargs 'console=x  y'\n", "boot"];
    const ran = await talk({ commands });
    expect(ran.outcome).toMatchObject({ result: "pass" });
    expect(executed(ran)).toEqual(["dhcp", "setenv bootargs 'console=x  y'", "boot"]);
    const inputs = ran.records.filter(({ lvl }) => lvl === "input").map(({ msg }) => msg);
    expect(inputs).toEqual([" ", "dhcp", "setenv bootargs 'console=x  y'", "boot"]);
  });

  test("executes no line that lost a character on the wire: it is discarded and typed again", async () => {
    // The first character is lost with the line end that follows the interrupt standing before it.
    const ran = await talk({ commands: ["setenv a 1", "boot"], loses: [3] });
    expect(ran.outcome).toMatchObject({ result: "pass" });
    expect(executed(ran)).toEqual(["setenv a 1", "boot"]);
    expect(ran.messages.join("\n")).toContain("typing it again");
  });

  test("goes on with a loader that echoes nothing", async () => {
    const ran = await talk({
      commands: ["dhcp", "boot"],
      echoes: false,
      constants: { "interrupt-newline": false },
    });
    expect(ran.outcome).toMatchObject({ result: "pass" });
    expect(executed(ran)).toEqual(["dhcp", "boot"]);
    expect(ran.messages.filter((message) => message.includes("does not echo"))).toHaveLength(1);
  });

  test("types nothing at one that comes to its prompt by itself", async () => {
    const ran = await talk({
      commands: ["boot"],
      interrupts: false,
      parameters: { needs_interrupt: false },
    });
    expect(ran.outcome).toMatchObject({ result: "pass" });
    expect(executed(ran)).toEqual(["boot"]);
  });

  test("fails, as the lab's fault, with the error message that matched and its place in the list", async () => {
    const ran = await talk({
      commands: ["tftp 1 2", "boot"],
      answers: { "tftp 1 2": "Retry count exceeded; 7 times" },
    });
    expect(ran.outcome).toMatchObject({
      result: "fail",
      error_type: "Infrastructure",
      error_msg: `matched a bootloader error message: 'Retry count exceeded; \\d+' (1): "Retry count exceeded; 7"`,
      evidence: { pattern: "Retry count exceeded; \\d+" },
    });
    const shown = ran.records[ran.outcome.evidence!.line!];
    expect(shown?.msg).toBe("Retry count exceeded; 7 times");
    expect(executed(ran)).toEqual(["tftp 1 2"]);
  });

  test("is the lab's fault as well when the loader never hands over", async () => {
    const ran = await talk({ commands: ["dhcp"], timeoutSeconds: 2 });
    expect(ran.outcome).toMatchObject({ error_type: "Infrastructure" });
    expect(ran.outcome).toHaveProperty(
      "error_msg",
      expect.stringMatching(/^bootloader-commands timed out after \d seconds$/),
    );
  });

  test("waits for nothing after the last command when nobody boots", async () => {
    const ran = await talk({ commands: ["version"], awaitsFinal: false });
    expect(ran.outcome).toMatchObject({ result: "pass" });
  });
});
