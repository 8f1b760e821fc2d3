/** What a kernel says on one line of a console. */
export interface KernelText {
  /** Without prefixes. */
  readonly text: string;
  /** With them, as it came. */
  readonly raw: string;
  /** Its clock; undefined where kernels print no time. */
  readonly seconds: number | undefined;
  /** Who says it (`T12`: a task, `C1`: a CPU), where the kernel tells (CONFIG_PRINTK_CALLER). */
  readonly caller: string | undefined;
}

/** Level, clock and caller as printk writes them; some vendors add the CPU to the clock (`@1`). */
const STAMP =
  /(?:<\d{1,3}>)?\[ {0,6}(\d{1,9}\.\d{6})(?:@\d{1,2})?\](?:\[ {0,6}([TC]\d{1,9})\])? ?/g;
/** Of more stamps in a line, the rest is no text of its own: a line is read in bounded time. */
const MAX_TEXTS = 8;
const UNSTAMPED = /^(?:<\d{1,3}>)?(?:\[ {0,6}([TC]\d{1,9})\] ?)?/;

/**
 * The texts on a line: from each of the kernel's stamps on, and what another program, or a message that this one cut in two,
 * was writing there before. What has no stamp may be anybody's.
 */
export function kernelTexts(line: string): KernelText[] {
  const stamps: RegExpExecArray[] = [];
  for (const stamp of line.matchAll(STAMP)) {
    if (stamps.push(stamp) === MAX_TEXTS) break;
  }
  const texts = stamps.map((stamp, n) => {
    const raw = line.slice(stamp.index, stamps[n + 1]?.index);
    const text = raw.slice(stamp[0].length);
    return { text, raw, seconds: Number(stamp[1]), caller: stamp[2] };
  });
  const before = line.slice(0, stamps[0]?.index);
  return stamps.length === 0 || before.trim() !== "" ? [unstamped(before), ...texts] : texts;
}

function unstamped(raw: string): KernelText {
  const prefix = UNSTAMPED.exec(raw);
  return {
    text: raw.slice(prefix?.[0].length ?? 0),
    raw,
    seconds: undefined,
    caller: prefix?.[1],
  };
}

/** What stands in the dumps of registers, stacks and calls of arm, arm64, riscv and x86. */
const BODY_SHAPES = [
  /\+0x[\da-f]+(?:\/0x[\da-f]+|\b)/,
  /\[<[\da-f]{8,16}>\]/,
  // Registers and memory: `RAX: 0000...`, `x29: ...`, `r7 : ...`, `bfc0: 00000000 ...`.
  /^\s*[\w/]{1,6} ?: ?\(?(?:0x)?[\da-f]{4,16}\b/i,
  /^\s*<\/?[A-Z]{2,8}>/,
  /^\s*(?:RIP|EIP|RSP|pstate|psr|epc|pc|lr|sp|ra|status|PC is at|LR is at|CR\d|[C-GS]S)\b ?[: ]/,
  /^\s*(?:Modules linked in|CPU|Hardware name|Tainted|Not tainted|Workqueue|Code|Kernel code|Call [Tt]race|Backtrace|Stack|Process|Flags|Control|Kernel Offset|CPU features|Memory Limit|SMP: stopping|Mem abort info|Data abort info|PGD|pgd|user pgtable|swapper pgtable|Exception stack|Register|Sending NMI|NMI backtrace|Task dump|task|irq event stamp|hardirqs last|softirqs last|stack backtrace|preempt_count|in_atomic|RCU nest depth|Preemption disabled at|INFO: lockdep is turned off|page|page dumped because|flags|raw|addr|file|head)\b/,
  /^\s*(?:\d+ locks? held by|no locks held by| ?#\d+: )/,
  /^rcu[:_]|^\s*\d+-\S{4}: \(|^\s*\((?:t=|detected by)/,
  /^"echo 0 > /,
  /^\s*(?:workqueue|pwq|in-flight|pending|delayed|pool)\b/,
  /^Showing (?:busy workqueues|all locks|backtraces)/,
  /^\s*$/,
];

/** Whether a text looks like part of a kernel's dump. */
export const isDump = (text: string): boolean => BODY_SHAPES.some((shape) => shape.test(text));

/** Who speaks in a dump: `CPU: 1 PID: 12 Comm: ...`. */
export const SPEAKER = /^(?:CPU: |NMI backtrace for cpu )(\d+)/;

const MAX_CHARS = 200;

/** The beginning of a line, as a copy: a part of a long text would keep all of it in memory. */
export const clipped = (text: string): string =>
  Buffer.from(text.slice(0, MAX_CHARS).trimEnd(), "utf8").toString();
