/** How a kernel's report begins, and what else is to be known of its kind. */
export interface ReportHead {
  /** As LAVA names it (DISPATCHER.md 9), else a name of our own. */
  readonly kind: string;
  /** At the beginning of what the kernel says; a group that matched is the CPU. */
  readonly start: RegExp;
  /** Its last line; a kind without one ends where its dump does. */
  readonly end?: RegExp;
  /** Where its dump begins, when what looks like one comes before. */
  readonly dumpFrom?: RegExp;
  /** Only behind a kernel's clock: others print such words as well. */
  readonly stamped?: true;
  /**
   * `frame` opens a report whose kind is told by a later line. `detail` tells the kind of an open frame, if there is one.
   * `death` follows the cause of an oops, if that was seen.
   */
  readonly role?: "frame" | "detail" | "death";
}

const TRACE_END = /^---\[ end trace/;
const RULE = /^={20,}$/;

/** What follows `BUG:`, `WARNING:` or `INFO:` when lockdep complains. */
const LOCKDEP =
  /^\[? ?(?:WARNING|INFO|BUG): (?:possible (?:circular|recursive|irq lock|unsafe lock|bad)|possible \S+ lock|inconsistent (?:\{\S+ )?lock state|suspicious RCU usage|bad (?:unlock balance|contention)|held lock freed|lock held |[Nn]ested lock was not taken|Invalid wait context|(?:HARD|SOFT)IRQ-safe|\S+-safe -> )/;

/** In this order: the first one that fits counts. */
export const REPORT_HEADS: readonly ReportHead[] = [
  { kind: "unknown", start: /^-{4,}\[ cut here \]-/, end: TRACE_END, role: "frame" },
  {
    kind: "panic",
    // Nothing comes after it that would tell: it is known by either half of its words, or behind what is
    // left of its stamp, should noise have hit the rest.
    start: /^(?:[\d. ]{0,14}\] )?(?:Kernel panic -(?: |$)|(?:\w{1,8} )?\w{0,8} ?- not syncing: )/,
    end: /^-{0,4}\[? ?end (?:Kernel panic|[\w ]{0,14}- not syncing: )|^Rebooting in \d+ seconds/,
  },
  { kind: "kasan", start: /^BUG: KASAN: /, end: RULE },
  { kind: "kcsan", start: /^BUG: KCSAN: /, end: RULE },
  { kind: "kfence", start: /^BUG: KFENCE: /, end: RULE },
  { kind: "kmsan", start: /^BUG: KMSAN: /, end: RULE },
  { kind: "ubsan", start: /^UBSAN: /, end: /^---\[ end trace|^={20,}$/, role: "detail" },
  { kind: "lockdep", start: LOCKDEP, dumpFrom: /^\s*stack backtrace:/ },
  {
    kind: "warning",
    start: /^WARNING: (?:CPU: (\d+) PID: \d+ at |at \S+:\d+|\S+:\d+ at [^,]+, CPU#(\d+))/,
    end: TRACE_END,
    role: "detail",
  },
  { kind: "bug", start: /^kernel BUG at /i, end: TRACE_END, role: "detail" },
  {
    kind: "list-corruption",
    start: /^list_(?:add|del) (?:corruption|double add)/,
    end: TRACE_END,
    role: "detail",
  },
  { kind: "refcount", start: /^refcount_t: /, end: TRACE_END, role: "detail" },
  {
    kind: "oops",
    start:
      /^(?:BUG: (?:kernel NULL pointer dereference|unable to handle |(?:\w+ )?stack guard page was hit)|Unable to handle kernel |Insufficient stack space to handle exception)/,
    end: TRACE_END,
  },
  {
    kind: "fault",
    start: /^(?:Unhandled fault|SError Interrupt on CPU(\d+)|Bad mode in .* detected on CPU(\d+))/,
    end: TRACE_END,
  },
  { kind: "invalid opcode", start: /^(?:Oops: )?invalid opcode: /, end: TRACE_END, role: "death" },
  {
    kind: "oops",
    start:
      /^(?:Oops(?: -|:| \[#)|Internal error: |kernel BUG \[#|[\w ,()-]{3,80}: [\da-f]{4} \[#\d)/i,
    end: TRACE_END,
    role: "death",
  },
  { kind: "soft-lockup", start: /^(?:watchdog: )?BUG: soft lockup - CPU#(\d+) stuck/ },
  {
    kind: "hard-lockup",
    start:
      /^(?:NMI )?watchdog: (?:CPU\d+: )?(?:Watchdog detected hard LOCKUP on cpu (\d+)|CPU (\d+) (?:self-)?detected hard LOCKUP)/,
  },
  {
    kind: "rcu-stall",
    start: /^(?:rcu: )?INFO: rcu\w* (?:self-)?detected (?:expedited )?stalls? on/,
  },
  { kind: "hung-task", start: /^INFO: task .{1,64} blocked .{0,80}for more than \d+ seconds/ },
  {
    kind: "oom-kill",
    start: /^.{1,64} invoked oom-killer: /,
    end: /^(?:Memory cgroup out of memory|Out of memory)\b/,
  },
  {
    kind: "atomic",
    start:
      /^BUG: (?:scheduling while atomic: |sleeping function called from invalid context at |using \w+(?:\(\))? in preemptible)/,
  },
  { kind: "workqueue-lockup", start: /^(?:workqueue: )?BUG: workqueue lockup - / },
  { kind: "bad-page", start: /^BUG: Bad (?:page|rss)/ },
  { kind: "bug", start: /^BUG: (?:spinlock|rwlock|rt_mutex) / },
  { kind: "bug", start: /^BUG: \S/, stamped: true },
  { kind: "kmemleak", start: /^kmemleak: \d+ new suspected memory leak/ },
];

/** The last line of a panic whose first one was lost. */
export const PANIC_END =
  /^(?:[\d. ]{0,14}\] )?-{0,4}\[? ?end (?:Kernel panic|[\w ]{0,14}- not syncing: )/;

/** A system starts from its beginning. */
export const START_OF_SYSTEM = /^(?:U-Boot SPL 20\d\d|Linux version \d)/;

/**
 * Stands in every line that `REPORT_HEADS`, `PANIC_END` or `START_OF_SYSTEM` may fit. Lines without it cost no more than this.
 */
export const MAY_BE_HEAD =
  /cut here|BUG|WARNING:|INFO:|UBSAN:|Kernel panic|- not syncing|Oops|Internal error|Unable to|nhandled fault|nsufficient stack|SError|Bad mode|\[#|LOCKUP|invoked oom|list_(?:add|del) |refcount_t:|kmemleak:|Linux version|U-Boot SPL/;
