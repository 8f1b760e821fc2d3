import { afterEach, describe, expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { processTransport } from "../../worker/drivers/process-transport.ts";

const open: Console[] = [];
afterEach(async () => {
  for (const console of open.splice(0)) await console.close();
});

const never = new AbortController().signal;
const soon = { timeoutSeconds: 20, signal: never };

/** A DUT that is a real /bin/sh running a script, and what the log got of it. */
async function shDut(script: string): Promise<{ console: Console; log: [string, string][] }> {
  const transport = await processTransport(["/bin/sh", "-c", script]);
  const log: [string, string][] = [];
  const console = new Console(transport, { log: (level, text) => log.push([level, text]) - 1 });
  open.push(console);
  return { console, log };
}

describe("a console", () => {
  test("tells which pattern came first, by its name", async () => {
    const { console } = await shDut(
      "echo booting; printf 'login: '; read name; echo \"hello $name\"",
    );
    const first = await console.expect({ prompt: /# /g, login: /login: /g }, soon);
    expect(first).toMatchObject({ name: "login", before: "booting\n" });
    await console.sendLine("root");
    expect((await console.expect({ greeting: /hello (\w+)/g }, soon)).match[1]).toBe("root");
  });

  test("loses nothing of a burst, however large", async () => {
    const { console } = await shDut(
      'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo "<S $i>"; done',
    );
    for (let n = 1; n <= 20_000; n++) {
      const { match } = await console.expect({ signal: /<S (\d+)>/g }, soon);
      if (Number(match[1]) !== n) expect(match[1]).toBe(n);
    }
  });

  test("logs lines whole, with their number, and what never ended at the end", async () => {
    const { console, log } = await shDut(
      "printf 'a\\r\\nb\\r\\r\\nc\\n'; sleep 0.05; printf 'tail'",
    );
    await expect(console.expect({ nothing: /(?!)/g }, soon)).rejects.toThrow(/Connection closed/);
    expect(log.filter(([level]) => level === "target").map(([, text]) => text)).toEqual([
      "a",
      "b",
      "c",
      "tail",
    ]);
  });

  test("says in which line of the log a match stands", async () => {
    const { console, log } = await shDut(
      "for n in 1 2 3; do echo line $n; done; echo '<S 1>'; echo after; cat",
    );
    await console.expect({ after: /after\n/g }, { ...soon, keepMatch: true });
    expect(log.length).toBeGreaterThanOrEqual(4);
    const again = await shDut(
      "for n in 1 2 3; do echo line $n; done; echo '<S 1>'; echo after; cat",
    );
    await again.console.expect({ line: /line 3\n/g }, soon);
    const { logLine } = await again.console.expect({ signal: /<S \d>\n/g }, soon);
    expect(again.log[logLine]).toEqual(["target", "<S 1>"]);
  });

  test("survives bytes that are no text, and characters cut in two", async () => {
    const { console } = await shDut(
      "printf 'gr\\303'; sleep 0.05; printf '\\274n \\377\\376 \\000 end\\n'",
    );
    const { before } = await console.expect({ end: /end\n/g }, soon);
    expect(before).toContain("grün");
    expect(before).toContain("\u0000");
  });

  test("says what it waited for and what came when the time is over", async () => {
    const { console } = await shDut("echo something else; cat");
    await console.expect({ something: /something/g }, soon);
    const wait = console.expect(
      { prompt: /root@dut:.*# /g },
      { timeoutSeconds: 0.2, signal: never },
    );
    await expect(wait).rejects.toMatchObject({
      type: "Job",
      message: expect.stringMatching(
        /wait for prompt timed out.*root@dut.*what came last: ".*else/s,
      ),
    });
  });

  test("stops waiting when it is told to, with the reason it was given", async () => {
    const { console } = await shDut("cat");
    const stop = new AbortController();
    const wait = console.expect({ prompt: /# /g }, { timeoutSeconds: 60, signal: stop.signal });
    stop.abort(new Error("the job was canceled"));
    await expect(wait).rejects.toThrow("the job was canceled");
  });

  test("reports how a program ended that was its DUT", async () => {
    const { console } = await shDut("echo its last words >&2; exit 3");
    await console.expect({ words: /last words/g }, soon);
    await expect(console.expect({ prompt: /# /g }, soon)).rejects.toMatchObject({
      type: "Infrastructure",
      message: expect.stringContaining("exit code 3"),
    });
  });

  test("types with a pause between characters when the device wants it", async () => {
    const { console } = await shDut("cat");
    console.characterDelayMs = 1;
    await console.sendLine("slowly");
    expect((await console.expect({ echo: /slowly\n/g }, soon)).name).toBe("echo");
  });

  test("is not typed on by two at once: who was given up in the middle of a line stops", async () => {
    const { console } = await shDut("cat");
    console.characterDelayMs = 1;
    const first = console.sendLine("a".repeat(5_000)).catch((error: Error) => error.message);
    await console.sendLine("next");
    expect(await first).toBe("two were typing at once");
    const { match } = await console.expect({ line: /a*next\n/g }, soon);
    expect(match[0].length).toBeLessThan(5_000);
  });

  test("of a program that is not there fails as the lab's fault", async () => {
    await expect(processTransport(["no-such-program"])).rejects.toMatchObject({
      type: "Infrastructure",
      message: "Cannot find command 'no-such-program' in $PATH",
    });
  });
});
