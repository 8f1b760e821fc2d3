import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { dutRestarts, kernelReportsOf } from "../../worker/kernel/console-kernel.ts";
import { watchForDeath } from "../../worker/kernel/death-watch.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const PANIC = "[   99.100000] Kernel panic - not syncing: on purpose";
const END = "[   99.200000] ---[ end Kernel panic - not syncing: on purpose ]---";
const never = new AbortController().signal;

/** A console that says what it is told to. */
function talkingConsole(): { console: Console; say: (...lines: string[]) => void } {
  let hear = (_bytes: Uint8Array): void => {};
  let number = 0;
  const console = new Console(
    {
      onData: (listener) => (hear = listener),
      onEnd: () => {},
      write: async () => {},
      close: async () => {},
    },
    { log: () => number++ },
  );
  // As who opens a console does.
  kernelReportsOf(console);
  return { console, say: (...lines) => lines.forEach((line) => hear(Buffer.from(`${line}\r\n`))) };
}

describe("a kernel that panicked during the tests", () => {
  test("is dead when nothing was heard of them for half a minute: the job's fault, with what was seen", () => {
    const { console, say } = talkingConsole();
    const watch = watchForDeath(console, never);
    say("a test", PANIC, END);
    vi.advanceTimersByTime(29_000);
    expect(watch.signal.aborted).toBe(false);
    vi.advanceTimersByTime(2_000);
    const failure = watch.signal.reason as JobFailure;
    expect(failure).toMatchObject({ type: "Job", evidence: { line: 1 } });
    expect(failure.message).toMatch(/^Kernel panic - not syncing: on purpose \(then: nothing was /);
    expect(PANIC).toMatch(new RegExp((failure.evidence?.pattern ?? "(?!)").replace("^", "")));
    expect(watch.causeOf(failure)).toBe(failure);
    watch.close();
  });

  test("is dead when all that tells has terminal sequences and other messages in it", () => {
    const { console, say } = talkingConsole();
    const watch = watchForDeath(console, never);
    say(
      "a test",
      "[  104.201377] Kern\u0000el pa[ 3631.869644][    T1] macb eth0: Link is Up - 1Gbps",
    );
    say("[  104.203519] ---[\u001b]0;title\u0007 end Kernel panic - not syncing: on purpose ]---");
    expect(watch.hasDied).toBe(true);
    vi.advanceTimersByTime(31_000);
    expect(watch.signal.reason).toMatchObject({ type: "Job" });
    watch.close();
  });

  test("is dead although the kernel itself talks on", () => {
    const { console, say } = talkingConsole();
    const watch = watchForDeath(console, never);
    say(PANIC);
    for (let n = 0; n < 40; n++) {
      vi.advanceTimersByTime(1_000);
      say(`[  1${n + 10}.000000] rcu: INFO: rcu_sched self-detected stall on CPU`);
    }
    expect(watch.signal.aborted).toBe(true);
    watch.close();
  });

  test("was a guest of the DUT when a test reports, or talks on", () => {
    const { console, say } = talkingConsole();
    const watch = watchForDeath(console, never);
    say(PANIC, END);
    for (let n = 0; n < 60; n++) {
      vi.advanceTimersByTime(10_000);
      say(`waiting for the guest: ${n}`);
    }
    watch.alive();
    vi.advanceTimersByTime(600_000);
    expect(watch.signal.aborted).toBe(false);
    expect(watch.hasDied).toBe(false);
    const later = new JobFailure("Infrastructure", "Connection closed: gone");
    expect(watch.causeOf(later)).toBe(later);
    watch.close();
  });

  test("is dead when what a test reported had come before it, and was read later", () => {
    const { console, say } = talkingConsole();
    const watch = watchForDeath(console, never);
    say("<LAVA_SIGNAL_STARTTC before>", PANIC);
    watch.alive(0);
    vi.advanceTimersByTime(31_000);
    expect(watch.signal.aborted).toBe(true);
    watch.close();
  });

  test("is dead when its system starts again, although that has much to say", () => {
    const { console, say } = talkingConsole();
    say("Linux version 6.1.0 (lab@host) #1");
    const watch = watchForDeath(console, never);
    say(PANIC, "[   99.200000] Rebooting in 1 seconds..");
    for (let n = 0; n < 10 && !watch.signal.aborted; n++) {
      say("Linux version 6.1.0 (lab@host) #1");
      for (let s = 0; s < 10; s++) {
        vi.advanceTimersByTime(1_000);
        say(`Starting service ${s}`);
      }
    }
    expect(watch.signal.reason).toMatchObject({ type: "Job", evidence: { line: 1 } });
    watch.close();
  });

  test("was a guest of the DUT when that boots again and its test talks on", () => {
    const { console, say } = talkingConsole();
    say("Linux version 6.1.0 (lab@host) #1");
    const watch = watchForDeath(console, never);
    say(PANIC, "Linux version 5.4.0 (guest@host) #7");
    for (let n = 0; n < 60; n++) {
      vi.advanceTimersByTime(10_000);
      say(`waiting for the guest: ${n}`);
    }
    expect(watch.signal.aborted).toBe(false);
    watch.close();
  });

  test("was one of the past when its time is: a test shows a log", () => {
    const { console, say } = talkingConsole();
    const watch = watchForDeath(console, never);
    say("[  500.000000] BUG: Bad page state in process sh  pfn:01234", PANIC);
    expect(watch.hasDied).toBe(false);
    watch.close();
  });

  test("explains a console that closes and a time that is over, but no wish of a user", () => {
    const { console, say } = talkingConsole();
    const watch = watchForDeath(console, never);
    say(PANIC);
    for (const type of ["Infrastructure", "LAVATimeout", "Test"] as const) {
      expect(watch.causeOf(new JobFailure(type, "Connection closed: gone"))).toMatchObject({
        type: "Job",
        message: "Kernel panic - not syncing: on purpose (then: Connection closed: gone)",
      });
    }
    const canceled = new JobFailure("Canceled", "The job was canceled");
    expect(watch.causeOf(canceled)).toBe(canceled);
    watch.close();
  });

  test("is not needed for a DUT that resets: what fails then has that for evidence", () => {
    const { console, say } = talkingConsole();
    const watch = watchForDeath(console, never);
    say("a test", "U-Boot SPL 2024.01");
    const late = new JobFailure("LAVATimeout", "too late");
    expect(watch.causeOf(late)).toBe(late);
    expect(late.evidence).toMatchObject({ line: 1 });
    watch.alive();
    expect(watch.causeOf(new JobFailure("LAVATimeout", "late"))).toMatchObject({
      evidence: undefined,
    });
    watch.close();
  });

  test("is dead as well when it panicked before they began, or at the end of those before", () => {
    for (const isBefore of [true, false]) {
      const { console, say } = talkingConsole();
      const last = isBefore ? undefined : watchForDeath(console, never);
      say(PANIC, END);
      last?.close();
      const watch = watchForDeath(console, never);
      expect(watch.causeOf(new JobFailure("Infrastructure", "no echo"))).toMatchObject({
        type: "Job",
        evidence: { line: 0 },
      });
      vi.advanceTimersByTime(31_000);
      expect(watch.signal.reason).toMatchObject({ type: "Job", evidence: { line: 0 } });
      watch.close();
    }
  });

  test("is not what a DUT dies of that was powered on since, or whose tests reported since", () => {
    const { console, say } = talkingConsole();
    say(PANIC, END);
    dutRestarts(console);
    const first = watchForDeath(console, never);
    expect(first.hasDied).toBe(false);
    say(PANIC.replace("99", "100"));
    first.alive();
    first.close();
    const second = watchForDeath(console, never);
    expect(second.hasDied).toBe(false);
    second.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is no more of interest when the tests are over", () => {
    const { console, say } = talkingConsole();
    const watch = watchForDeath(console, never);
    say(PANIC);
    watch.close();
    expect(vi.getTimerCount()).toBe(0);
    say(PANIC.replace("99", "100"));
    expect(vi.getTimerCount()).toBe(0);
  });
});
