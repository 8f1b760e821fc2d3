import { describe, expect, test } from "vitest";
import { exitCode, runInShell } from "../../worker/actions/login/shell-command.ts";
import { Console } from "../../worker/console/console.ts";
import { typeLine } from "../../worker/console/type-line.ts";
import { ptyTransport } from "../../worker/drivers/pty-transport.ts";
import { echoingShell } from "../support/echoing-shell.ts";

const { signal } = new AbortController();
const log = { warning: () => {}, debug: () => {} };

/** A console with such a shell; every line of it is line 7 of the log. */
function consoleOf(...shell: Parameters<typeof echoingShell>) {
  const console = new Console(echoingShell(...shell), { log: () => 7 });
  const type = (line: string) => typeLine(console, line, { discard: "ctrl-u", log, signal });
  return { console, type };
}

describe("a shell that has echoed, and whose echoes then differ", { timeout: 60_000 }, () => {
  test("each time in another way is on a line that is too noisy: the lab's fault", async () => {
    const { type } = consoleOf((character, attempt) => `${character}${attempt}`);
    expect(await type("#")).toBe("checked");
    await expect(type("ls")).rejects.toMatchObject({
      type: "Infrastructure",
      message: expect.stringMatching(/^"ls" can't be typed: this line is too noisy: .*damaged 20 /),
      evidence: { line: 7 },
    });
  });

  test("always in the same way has one of its own: what is typed is not checked", async () => {
    const { type } = consoleOf((character) => `${character}-`);
    expect(await type("#")).toBe("checked");
    expect(await type("ls")).toBe("unchecked");
  });
});

test("what does not come behind lines that arrived damaged is the line's fault, else the job's", async () => {
  const shell = (damaged: number) => {
    const dut = consoleOf((one, attempt) =>
      one === "e" && attempt <= damaged ? `e${attempt}` : one,
    );
    const own = { console: dut.console, prompts: ["other#"], log, signal, timeoutSeconds: 0.05 };
    return { ...dut, own: own as unknown as Parameters<typeof exitCode>[0] };
  };
  for (const [damaged, type] of [
    [0, "Job"],
    [4, "Infrastructure"],
  ] as const) {
    const dut = shell(damaged);
    await dut.type("#");
    await expect(runInShell(dut.own, "true")).rejects.toMatchObject({ type });
  }
  const noisy = shell(4);
  await noisy.type("#");
  const asking = exitCode(noisy.own, "true");
  await expect(asking).rejects.toThrow("no exit code of 'true' arrived: this line is too noisy");
});

test("an exit code that a message was printed into counts", async () => {
  const torn = "<LAVA_SIGNAL_[   12.345678] usb 1-1: new\r\nRETRUNCODE 0>\r\n";
  const { console } = consoleOf((one) => one, torn);
  const shell = { console, prompts: ["\\$ "], log, signal, timeoutSeconds: 20 };
  expect(await exitCode(shell as unknown as Parameters<typeof exitCode>[0], "true")).toBe(0);
});

test("a line that the shell gave up, as at a file that isn't there by a letter, is typed again", async () => {
  const script = `stty sane; printf 'dut# '
    while read -r line; do
      case "$line" in *environment*) times=x$times ;; esac
      case "$times" in x) code= ;; *) code=0 ;; esac
      printf '<LAVA_SIGNAL_RETRUNCODE %s>\\ndut# ' "$code"
    done`;
  const transport = await ptyTransport(["/bin/sh", "-c", script]);
  try {
    const console = new Console(transport, { log: () => 7 });
    const shell = { console, prompts: ["dut# "], log, signal, timeoutSeconds: 20 };
    const own = shell as unknown as Parameters<typeof exitCode>[0];
    expect(await exitCode(own, ". /lava-7/environment", { isBrief: true })).toBe(0);
  } finally {
    await transport.close();
  }
});
