import { describe, expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { showsLastPrompt } from "../../worker/console/prompt-likeness.ts";
import { expectPrompt, PromptWait, type PromptOptions } from "../../worker/console/prompt.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";

const never = new AbortController().signal;
const PROMPTS = { prompt: /root@dut:~# /g, login: /login: /g };

/** A DUT that says what it is told to say, and hears what is typed. */
function fakeDut() {
  let say: (text: string) => void = () => {};
  let end: (why: string) => void = () => {};
  const typed: string[] = [];
  const warnings: string[] = [];
  const console = new Console(
    {
      onData: (listener) => (say = (text) => listener(Buffer.from(text))),
      onEnd: (listener) => (end = listener),
      write: async (bytes) => void typed.push(Buffer.from(bytes).toString()),
      close: async () => {},
    },
    { log: () => 1 },
  );
  const log = { warning: (text: string) => void warnings.push(text), debug: () => {} };
  const options = (more: Partial<PromptOptions> = {}) => ({
    ...{ signal: never, log, timeoutSeconds: 20, quietMs: 5, silentMs: 80 },
    ...more,
  });
  return {
    ...{ console, typed, warnings, options },
    say: (text: string) => say(text),
    end: (why: string) => end(why),
  };
}

/** Waits for a prompt while the DUT says these pieces one after the other, each once the one before was looked at. */
async function found(pieces: readonly string[], more: Partial<PromptOptions> = {}) {
  const dut = fakeDut();
  const wait = new PromptWait(dut.console, PROMPTS, dut.options(more));
  for (const piece of pieces.slice(0, -1)) {
    dut.say(piece);
    expect(await wait.within(0.02)).toBeUndefined();
  }
  dut.say(pieces.at(-1) ?? "");
  return { dut, match: await wait.within(20) };
}

describe("a prompt", () => {
  test.each([
    ["at the end of the output", "Debian 13\r\nroot@dut:~# "],
    ["with more behind it in its line", "root@dut:~# \x1b[6n"],
    ["with a kernel message in it", "root@d[   12.345678] usb 1-1: new\r\nut:~# "],
    ["with a kernel message behind it", "root@dut:~# [   12.345678][    T1] usb 1-1: new\r\n"],
    [
      "with messages of a level around it",
      "<6>a\r\nroot@dut:~# <6>i2c: no\r\n<3>[ 1.234567] b\r\n",
    ],
    ["with a message that has not ended behind it", "root@dut:~# [   12.345678] usb 1-1: "],
    ["in colours and with NULs", "\x1b[1mroot@\0dut\x1b[0m:~# "],
  ])("%s counts", async (_what, said) => {
    const { dut, match } = await found([said], { silentMs: 60_000 });
    expect(match?.name).toBe("prompt");
    expect(dut.warnings).toEqual([]);
    // Nothing of it is left for who waits next.
    expect(
      await dut.console.tryExpect(PROMPTS, { timeoutSeconds: 0, signal: never }),
    ).toBeUndefined();
  });

  test("may come in pieces, with others' messages between them", async () => {
    const { match } = await found(["root@", "[   12.345678] usb ", "1-1: new\r\n", "dut:~", "# "]);
    expect(match?.name).toBe("prompt");
  });

  test("in the midst of the output does not count while more comes", async () => {
    const pieces = ["root@dut:~# is what it shows\r\n", "more\r\n", "dut login: "];
    const { dut, match } = await found(pieces, { silentMs: 60_000 });
    expect(match?.name).toBe("login");
    expect(dut.warnings).toEqual([]);
  });

  test("that is a message is taken when nothing else comes, and the log says so", async () => {
    const { dut, match } = await found(["root@dut:~# was here\r\n", "Welcome\r\n"]);
    expect(match?.name).toBe("prompt");
    expect(dut.warnings.join()).toContain("stands in the midst of the output");
  });

  test.each([
    ["after a while", { patienceMs: 50 }],
    ["when half of the time has gone", { timeoutSeconds: 2 }],
  ])("that is a message is taken %s from a DUT that never falls silent", async (_when, more) => {
    const dut = fakeDut();
    const chatter = setInterval(() => dut.say("tick\r\n"), 3);
    try {
      dut.say("root@dut:~# was here\r\n");
      const options = { ...dut.options({ silentMs: 60_000 }), ...more };
      expect((await expectPrompt(dut.console, PROMPTS, options)).name).toBe("prompt");
    } finally {
      clearInterval(chatter);
    }
  });

  test("is never what the kernel says, unless it is a whole sentence", async () => {
    const kernel = "[   12.345678] systemd[1]: login: root@dut:~# enabled\r\n";
    const { dut, match } = await found([kernel, "dut login: "], { silentMs: 60_000 });
    expect(match?.lineBefore).toBe("dut ");
    expect(dut.warnings).toEqual([]);
    const sentence = { ready: /healthd: No battery devices found/g };
    const android = fakeDut();
    android.say("[    9.123456] healthd: No battery devices found\r\n");
    expect((await expectPrompt(android.console, sentence, android.options())).name).toBe("ready");
  });

  test.each([
    ["a lost character", "rot@dut:~# "],
    ["a changed character", "root@dut:~! "],
    ["a message in it that nothing marks", "root@dusb 1-1: new high-speed device\r\nut:~# "],
    ["a message behind it that nothing marks", "root@dut:~# usb 1-1: new high-speed device\r\n"],
    ["a kernel's line of its own in it", "root@d\r\n[   12.345678] usb 1-1: new\r\nut:~# "],
  ])("that is known is recognised with %s", async (_what, said) => {
    const dut = fakeDut();
    const prompts = { prompt: PROMPTS.prompt };
    dut.say("root@dut:~# ");
    await expectPrompt(dut.console, prompts, dut.options());
    dut.say(said);
    expect((await expectPrompt(dut.console, prompts, dut.options())).name).toBe("prompt");
  });

  test("of which only a piece is left is asked for by an empty line", async () => {
    const dut = fakeDut();
    dut.say("roo");
    const wait = expectPrompt(dut.console, PROMPTS, dut.options({ nudges: true, nudgeMs: 30 }));
    await expect.poll(() => dut.typed).toContain("\n");
    dut.say("\r\nroot@dut:~# ");
    expect((await wait).name).toBe("prompt");
  });

  test("whose place a progress bar or a question has is not asked for", async () => {
    const dut = fakeDut();
    const options = dut.options({ nudges: true, nudgeMs: 10 });
    dut.say("root@dut:~# ");
    await expectPrompt(dut.console, PROMPTS, options);
    dut.say("45% [=====      ]");
    expect(await new PromptWait(dut.console, PROMPTS, options).within(0.1)).toBeUndefined();
    expect(dut.typed).toEqual([]);
  });

  test("that counts at the end only is never taken in the midst", async () => {
    const greeting = "Last failed login: Sat Nov 21 on ttyS0\r\n";
    const more = { onlyAtEnd: "login", silentMs: 10 };
    const { match } = await found([greeting, "root@dut:~# "], more);
    expect(match?.name).toBe("prompt");
  });

  test("is looked for without delay in what a board prints that is nothing but line ends", async () => {
    const { match } = await found(["\r\n".repeat(20_000), "dut login: "]);
    expect(match?.name).toBe("login");
  });

  test("of an idle shell that a message hides wholly is asked for, too", async () => {
    const dut = fakeDut();
    dut.say("ro\u0013t@dut:~# audit: type=1400\r\n");
    const wait = expectPrompt(dut.console, PROMPTS, dut.options({ nudges: "idle", nudgeMs: 30 }));
    await expect.poll(() => dut.typed).toContain("\n");
    dut.say("root@dut:~# ");
    expect((await wait).name).toBe("prompt");
  });

  describe("of an idle shell whose kernel never falls silent", () => {
    const idle = { nudges: "idle", silentMs: 80, patienceMs: 60_000, nudgeMs: 60_000 } as const;

    /** A DUT that has shown its prompt before, whose kernel talks; it says this, and its prompt when a line end is typed. */
    async function talking(said: string, more: Partial<PromptOptions>, everyMs = 15) {
      const dut = fakeDut();
      const prompts = { prompt: PROMPTS.prompt };
      dut.say("root@dut:~# ");
      await expectPrompt(dut.console, prompts, dut.options());
      let n = 0;
      let answered = 0;
      const talk = setInterval(() => {
        const count = String((n += 1)).padStart(6, "0");
        dut.say(`[   12.${count}] talker says ${count}\r\n`);
        if (dut.typed.length > answered) dut.say("root@dut:~# ");
        answered = dut.typed.length;
      }, everyMs);
      try {
        dut.say(said);
        const options = dut.options({ ...idle, ...more });
        return { dut, match: await expectPrompt(dut.console, prompts, options) };
      } finally {
        clearInterval(talk);
      }
    }

    test.each([
      ["that was damaged", "rot@dut:~# "],
      ["behind which a message stands whose time was damaged", "root@dut:~# [  x2.1] talker\r\n"],
    ])("%s is taken once the shell is silent", async (_what, said) => {
      const { dut, match } = await talking(said, {});
      expect(match.name).toBe("prompt");
      expect(dut.typed).toEqual([]);
    });

    test("that nothing is left of is asked for", async () => {
      const { dut, match } = await talking("\r\n", { nudgeMs: 30 });
      expect(match.name).toBe("prompt");
      expect(dut.typed.length).toBeGreaterThan(0);
    });

    test("is asked for also when what the kernel says arrives damaged all the time", async () => {
      const dut = fakeDut();
      const wait = new PromptWait(dut.console, PROMPTS, dut.options({ ...idle, nudgeMs: 30 }));
      let n = 0;
      const talk = setInterval(() => dut.say(`[  x2.1] talker says ${(n += 1)}\r\n`), 15);
      const found = wait.within(20);
      await expect.poll(() => dut.typed).toContain("\n");
      clearInterval(talk);
      dut.say("root@dut:~# ");
      expect((await found)?.name).toBe("prompt");
    });

    test("is found where there is no quiet moment at all", async () => {
      const { match } = await talking("root@dut:~# ", { quietMs: 60_000 }, 1);
      expect(match.name).toBe("prompt");
    });
  });

  test("of a board that boots is not taken in the midst while its kernel talks", async () => {
    const dut = fakeDut();
    const wait = new PromptWait(dut.console, PROMPTS, dut.options({ silentMs: 500 }));
    dut.say("Starting login: service\r\n");
    const talk = setInterval(() => dut.say("[   12.345678] usb 1-1: new\r\n"), 5);
    expect(await wait.within(0.8)).toBeUndefined();
    clearInterval(talk);
    dut.say("root@dut:~# ");
    expect((await wait.within(20))?.match[0]).toBe("root@dut:~# ");
  });

  test("may reach over several lines, and stand before the end of the connection", async () => {
    const dut = fakeDut();
    dut.say("text\r\nready\r\n> ");
    dut.end("gone");
    const found = await expectPrompt(dut.console, { own: /ready\r\n> /g }, dut.options());
    expect(found.name).toBe("own");
  });

  test("does not keep waiting what counts anywhere", async () => {
    const dut = fakeDut();
    dut.say("TIMEOUT\r\nroot@dut:~# ");
    const options = dut.options({ others: { error: /TIMEOUT/g } });
    expect((await expectPrompt(dut.console, PROMPTS, options)).name).toBe("error");
    expect((await expectPrompt(dut.console, PROMPTS, dut.options())).name).toBe("prompt");
  });

  test("that never comes is said with what was awaited", async () => {
    const dut = fakeDut();
    dut.say("something else\r\n");
    const waiting = expectPrompt(
      dut.console,
      PROMPTS,
      dut.options({ timeoutSeconds: 0.05 } as object),
    );
    await expect(waiting).rejects.toThrow(
      /awaited \/root@dut:~# \/, \/login: \/; what came last: "something/,
    );
  });
});

test("the failure of a wait names the prompts, not what else counts", async () => {
  const dut = fakeDut();
  const stop = new AbortController();
  const others = Object.fromEntries(
    Array.from({ length: 6 }, (_, n) => [`death-${n}`, new RegExp(`BUG ${n}`, "g")]),
  );
  const wait = new PromptWait(dut.console, PROMPTS, dut.options({ signal: stop.signal, others }));
  const failed = wait.within(20);
  dut.say("nothing that anybody waits for\r\n");
  const reason = new JobFailure("Job", "login-action timed out after 18 seconds");
  stop.abort(reason);
  await expect(failed).rejects.toBe(reason);
  expect(reason.evidence?.pattern).toMatch(/^root@dut:~#  \| login:  \| BUG 0/);
});

test("that stood there before and stands there alone again shows that a shell has nothing to do", async () => {
  const { dut } = await found(["Debian 13\r\nroot@dut:~# \x1b[6n"]);
  expect(showsLastPrompt(dut.console)).toBe(true);
  dut.say("poweroff\r\n");
  expect(showsLastPrompt(dut.console)).toBe(false);
  dut.say("login: ");
  expect(showsLastPrompt(dut.console)).toBe(false);
  dut.say("\r\nroot@dut:~# ");
  expect(showsLastPrompt(dut.console)).toBe(true);
});
