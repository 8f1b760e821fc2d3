import { describe, expect, test } from "vitest";
import { menuInterrupt, menuSelector } from "../../../worker/actions/bootloader/menu-selector.ts";
import { fillSteps, menuSteps } from "../../../worker/actions/bootloader/menu-steps.ts";
import { onConsole } from "../../support/on-console.ts";
import { aJobContext, run, type Ran } from "../../support/plan-of.ts";

/** Prints what it was told, with the bytes of what ends a line and of escape made visible. */
const firmware = (questions: string): string => `
  stty raw -echo 2>/dev/null
  echo 'The default boot selection will start in 9 seconds'
  key=$(head -c 1)
  ask() { printf '%s' "$1 "; IFS= read -r answer; printf '\\r\\ngot <%s>\\r\\n' "$(printf '%s' "$answer" | tr '\\r\\033' 'RE')"; }
  ${questions}
  exec cat >/dev/null
`;
const main = "printf '[1] Shell\\r\\n[2] Boot Manager\\r\\n'; ask Start:";

interface Walk {
  readonly steps: readonly unknown[];
  readonly parameters?: Record<string, unknown>;
  readonly lineSeparator?: string;
}

async function walk(
  questions: string,
  { steps, parameters = {}, lineSeparator }: Walk,
): Promise<Ran> {
  const job = aJobContext();
  const own = {
    interrupt_prompt: "boot selection will start",
    interrupt_string: " ",
    bootloader_prompt: "Start:",
    ...parameters,
  };
  const methods = { "uefi-menu": { parameters: own, set: steps } };
  const actions = { ...job.device.actions, boot: { connections: null, methods } };
  const blockSteps = [
    menuInterrupt({
      name: "uefi-menu-interrupt",
      method: "uefi-menu",
      prompt: "interrupt_prompt",
      string: "interrupt_string",
    }),
    menuSelector({
      name: "uefi-menu-selector",
      method: "uefi-menu",
      prompt: "bootloader_prompt",
      check: (context) => menuSteps("uefi-menu", "set", context),
      steps: (context) =>
        fillSteps(menuSteps("uefi-menu", "set", context.job), { KERNEL: "7/kernel", DTB: "" }),
      lineSeparator: () => lineSeparator,
    }),
  ];
  return run(onConsole({ script: firmware(questions) }, blockSteps), {
    job: { ...job, device: { ...job.device, actions } as typeof job.device },
  });
}

const got = ({ messages }: Ran): string[] =>
  messages.flatMap((line) => /^got <(.*)>/.exec(line.trim())?.[1] ?? []);

describe("the selector", () => {
  test("types the numbers that the menus have, and ends lines as DOS does", async () => {
    const ran = await walk(
      `${main}; printf '[7] Add\\r\\n[8] Remove\\r\\n'; ask Choice:; echo done`,
      {
        steps: [
          { select: { items: ["Boot Manager"], wait: "Choice:" } },
          { select: { items: ["Remove"], wait: "done" } },
        ],
      },
    );
    expect(ran.outcome.result).toBe("pass");
    expect(got(ran)).toEqual(["2R", "8R"]);
  });

  test("ends lines with a newline only where the job or a step says unix", async () => {
    const steps = [{ select: { enter: "1", wait: "got" } }];
    const ran = await walk(main, { steps, lineSeparator: "unix" });
    expect(got(ran)).toEqual(["1"]);
    const later = await walk(main, { steps: [{ line_separator: "unix" }, ...steps] });
    expect(got(later)).toEqual(["1"]);
  });

  test("enters texts with the job's values, and nothing where the job has nothing", async () => {
    const ran = await walk(`${main}; ask Kernel:; ask FDT:`, {
      steps: [
        { select: { enter: "2", wait: "Kernel:" } },
        { select: { enter: "{KERNEL}", wait: "FDT:" } },
        { select: { enter: "{DTB}", wait: "got" } },
      ],
    });
    expect(got(ran)).toEqual(["2R", "7/kernelR", "R"]);
  });

  test("presses escape", async () => {
    const ran = await walk(main, {
      steps: [{ select: { escape: true, enter: "x", wait: "got" } }],
    });
    expect(got(ran)).toEqual(["ExR"]);
  });

  test("takes the first of several items that is there, else the fallback", async () => {
    const items = await walk(main, {
      steps: [
        { select: { items: ["UEFI Shell", "Shell"], fallback: "Boot Manager", wait: "got" } },
      ],
    });
    expect(got(items)).toEqual(["1R"]);
    const fallback = await walk(main, {
      steps: [{ select: { items: ["UEFI Shell"], fallback: "boot manager", wait: "got" } }],
    });
    expect(got(fallback)).toEqual(["2R"]);
  });

  test("fails with what the menu has when it has neither", async () => {
    const ran = await walk(main, { steps: [{ select: { items: ["Setup"], fallback: "Exit" } }] });
    expect(ran.outcome).toMatchObject({
      error_type: "Job",
      error_msg:
        'the firmware\'s menu has no item "Setup" nor "Exit"; it has "Shell", "Boot Manager"',
    });
  });
});

describe("before any hardware is touched", () => {
  test.each([
    ["a set that is no list", { steps: { commands: ["boot"] } }, "expected a list of menu steps"],
    ["a step of another kind", { steps: [{ choose: "Shell" }] }, "set[0] of the device: expected"],
    ["a prompt that is missing", { steps: [], parameters: { bootloader_prompt: "" } }, "has no"],
    ["a wait that is no expression", { steps: [{ select: { wait: "(" } }] }, "Invalid regular"],
  ])("%s is refused", async (_what, walked, message) => {
    const ran = await walk(main, walked as Walk);
    expect(ran.outcome.result).toBe("fail");
    expect(ran.outcome.error_msg).toContain(message);
    expect(ran.messages.join("\n")).not.toContain("start: 1 ");
  });
});
