import { describe, expect, test } from "vitest";
import { KernelReports } from "../../worker/kernel/kernel-reports.ts";
import { goldenLines, inShort, reportsIn } from "./kernel-logs.ts";

describe("of real kernels in trouble", () => {
  test.each<[string, string[]]>([
    ["panic-x86", ["panic: Kernel panic - not syncing: sysrq triggered crash"]],
    ["panic-arm64", ["panic: Kernel panic - not syncing: sysrq triggered crash"]],
    [
      "no-root-x86",
      ["panic: Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"],
    ],
    [
      "oops-panic-x86",
      [
        "oops: BUG: kernel NULL pointer dereference, address: 0000000000000010",
        "panic: Kernel panic - not syncing: Fatal exception",
      ],
    ],
    [
      "oops-panic-arm64",
      [
        "oops: Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010",
        "panic: Kernel panic - not syncing: Oops: Fatal exception",
      ],
    ],
    ["page-fault-x86", ["oops: BUG: unable to handle page fault for address: ffffffffffff0000"]],
    [
      "no-times-x86",
      [
        "warning: WARNING: CPU: 1 PID: 121 at drill/trouble.c:52 cause+0x28/0x286 [trouble]",
        "oops: BUG: kernel NULL pointer dereference, address: 0000000000000010",
      ],
    ],
    [
      "dmesg-x86",
      [
        "warning: WARNING: CPU: 0 PID: 122 at drill/trouble.c:52 cause+0x28/0x286 [trouble]",
        "bug: kernel BUG at drill/trouble.c:66!",
      ],
    ],
    [
      "list-x86",
      [
        "list-corruption: list_add double add: new=ffffd0198042bc60, prev=ffffd0198042bc50, next=ffffd0198042bc60.",
      ],
    ],
    ["bug-x86", ["bug: kernel BUG at drill/trouble.c:66!"]],
    [
      "bug-arm64",
      [
        "bug: kernel BUG at drill/trouble.c:66!",
        "warning: WARNING: CPU: 1 PID: 0 at kernel/context_tracking.c:128 ct_kernel_exit.constprop.0+0xa0/0xb0",
      ],
    ],
    [
      "hung-task-x86",
      [
        "hung-task: INFO: task drill:123 blocked for more than 1 seconds.",
        "hung-task: INFO: task drill:123 blocked for more than 2 seconds.",
      ],
    ],
    [
      "lockups-x86",
      [
        "rcu-stall: rcu: INFO: rcu_preempt self-detected stall on CPU",
        "soft-lockup: watchdog: BUG: soft lockup - CPU#1 stuck for 8s! [drill:122]",
        "rcu-stall: rcu: INFO: rcu_preempt self-detected stall on CPU",
      ],
    ],
    [
      "lockups-arm64",
      [
        "rcu-stall: rcu: INFO: rcu_sched self-detected stall on CPU",
        "soft-lockup: watchdog: BUG: soft lockup - CPU#1 stuck for 8s! [drill:116]",
        "rcu-stall: rcu: INFO: rcu_sched self-detected stall on CPU",
      ],
    ],
    [
      "atomic-x86",
      [
        "atomic: BUG: scheduling while atomic: drill/124/0x00000003",
        "atomic: BUG: scheduling while atomic: drill/124/0x7fffffff",
      ],
    ],
  ])("%s: each is found, once", (name, expected) => {
    const reports = reportsIn(goldenLines(name));
    expect(inShort(reports)).toEqual(expected);
  });

  test("tasks that the kernel killed for their memory", () => {
    const lines = goldenLines("oom-x86");
    const reports = reportsIn(lines);
    expect(reports.map(({ kind }) => kind)).toEqual(["oom-kill", "oom-kill"]);
    for (const { lastLine } of reports) expect(lines[lastLine]).toContain("Out of memory: Killed");
  });

  test("warnings of two CPUs that overlap are told apart, each from its cut to its end", () => {
    const lines = goldenLines("overlapping-warnings-x86");
    const reports = reportsIn(lines);
    const cpus = reports.map(({ message }) => /CPU: (\d)/.exec(message)?.[1] ?? "");
    expect(cpus.toSorted()).toEqual(["0", "0", "0", "1", "1", "1"]);
    const spans = reports.map(({ firstLine, lastLine }) => [lines[firstLine], lines[lastLine]]);
    for (const [first, last] of spans) {
      expect(first).toContain("[ cut here ]");
      expect(last).toContain("[ end trace");
    }
    for (const { lines: own, message, cut } of reports) {
      const cpu = /CPU: \d PID: \d+/.exec(message)?.[0] ?? "?";
      expect(cut).toBe(false);
      expect(own.filter((line) => line.includes(cpu))).toHaveLength(2);
      expect(own.filter((line) => /CPU: \d/.test(line))).toHaveLength(2);
    }
  });
});

/** Reports in the shapes of other kernels and architectures; texts of our own. */
const SHAPES: readonly (readonly [string, string, string])[] = [
  [
    "kasan",
    "BUG: KASAN: slab-out-of-bounds in poke+0x12/0x40",
    `==================================================================
BUG: KASAN: slab-out-of-bounds in poke+0x12/0x40
Write of size 4 at addr ffff888001234568 by task sh/80

CPU: 0 PID: 80 Comm: sh Not tainted 6.6.0 #1
Call Trace:
 poke+0x12/0x40
Allocated by task 80:
 kmalloc_trace+0x25/0x90
The buggy address belongs to the object at ffff888001234560
 which belongs to the cache kmalloc-8 of size 8
Memory state around the buggy address:
>ffff888001234500: fc fc fc fc 00 fc fc fc
==================================================================`,
  ],
  [
    "kcsan",
    "BUG: KCSAN: data-race in reader / writer",
    `==================================================================
BUG: KCSAN: data-race in reader / writer

write to 0xffff888003fe9970 of 8 bytes by task 12 on cpu 0:
 writer+0x23/0x50
read to 0xffff888003fe9970 of 8 bytes by task 13 on cpu 1:
 reader+0x1c/0x44
value changed: 0x01 -> 0x02
==================================================================`,
  ],
  [
    "kfence",
    "BUG: KFENCE: use-after-free read in peek+0x8/0x20",
    `==================================================================
BUG: KFENCE: use-after-free read in peek+0x8/0x20

Use-after-free read at 0x00000000deadbeef (in kfence-#17):
 peek+0x8/0x20
==================================================================`,
  ],
  [
    "kmsan",
    "BUG: KMSAN: uninit-value in decide+0x31/0x60",
    `=====================================================
BUG: KMSAN: uninit-value in decide+0x31/0x60
 decide+0x31/0x60
Uninit was created at:
 slab_alloc+0x10/0x20
=====================================================`,
  ],
  [
    "ubsan",
    "UBSAN: array-index-out-of-bounds in lib/table.c:31:9",
    `================================================================================
UBSAN: array-index-out-of-bounds in lib/table.c:31:9
index 9 is out of range for type 'int [8]'
CPU: 1 PID: 90 Comm: sh Not tainted 5.15.0 #1
Call Trace:
 table+0x33/0x50
================================================================================`,
  ],
  [
    "ubsan",
    "UBSAN: shift-out-of-bounds in lib/shift.c:7:2",
    `------------[ cut here ]------------
UBSAN: shift-out-of-bounds in lib/shift.c:7:2
shift exponent 64 is too large for 64-bit type 'long'
CPU: 1 UID: 0 PID: 90 Comm: sh Not tainted 6.12.0 #1
Call Trace:
 shift+0x33/0x50
---[ end trace ]---`,
  ],
  [
    "list-corruption",
    "list_add corruption. next->prev should be prev (ffff8880), but was ffff8881. (next=ffff8882).",
    `list_add corruption. next->prev should be prev (ffff8880), but was ffff8881. (next=ffff8882).
------------[ cut here ]------------
kernel BUG at lib/list_debug.c:29!
invalid opcode: 0000 [#1] SMP PTI
CPU: 3 PID: 55 Comm: sh Not tainted 6.1.0 #1
RIP: 0010:__list_add_valid+0x4a/0x70
---[ end trace 0000000000000000 ]---`,
  ],
  [
    "list-corruption",
    "list_del corruption. prev->next should be c1, but was c2",
    `------------[ cut here ]------------
list_del corruption. prev->next should be c1, but was c2
WARNING: CPU: 0 PID: 5 at lib/list_debug.c:62 __list_del_entry_valid+0x9c/0xd0
CPU: 0 PID: 5 Comm: kworker/0:0 Not tainted 5.10.0 #1
Backtrace:
[<c0a1b2c3>] (dump_backtrace) from [<c0a1b2d4>] (show_stack+0x20/0x24)
---[ end trace 3f2b1c0d4e5f6a7b ]---`,
  ],
  [
    "refcount",
    "refcount_t: underflow; use-after-free.",
    `------------[ cut here ]------------
refcount_t: underflow; use-after-free.
WARNING: CPU: 2 PID: 77 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110
Modules linked in: dummy
CPU: 2 PID: 77 Comm: ip Tainted: G        W          6.6.0 #1
---[ end trace 0000000000000000 ]---`,
  ],
  [
    "warning",
    "WARNING: kernel/jump.c:12 at jump+0x10/0x20, CPU#3: sh/81",
    `------------[ cut here ]------------
WARNING: kernel/jump.c:12 at jump+0x10/0x20, CPU#3: sh/81
Modules linked in:
CPU: 3 UID: 0 PID: 81 Comm: sh Not tainted 6.19.0 #1 PREEMPT(full)
---[ end trace 0000000000000000 ]---`,
  ],
  [
    "oops",
    "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010",
    `Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010
Mem abort info:
  ESR = 0x0000000096000044
Internal error: Oops: 0000000096000044 [#1] PREEMPT SMP
CPU: 0 PID: 113 Comm: sh Not tainted 6.6.0 #1
pc : touch+0x8/0x10
x29: ffff80000829bb40 x28: ffff5cae88132080
Call trace:
 touch+0x8/0x10
---[ end trace 0000000000000000 ]---`,
  ],
  [
    "oops",
    "Unable to handle kernel paging request at virtual address fffffff0 when write",
    `8<--- cut here ---
Unable to handle kernel paging request at virtual address fffffff0 when write
[fffffff0] *pgd=6ffbc841, *pte=00000000, *ppte=00000000
Internal error: Oops: 805 [#1] SMP ARM
CPU: 0 PID: 99 Comm: sh Not tainted 6.1.0 #1
PC is at touch+0x10/0x18
r10: 00000000  r9 : c4a3e000  r8 : 00000000
Flags: nZCv  IRQs on  FIQs on  Mode SVC_32  ISA ARM  Segment none
Stack: (0xe0a19eb0 to 0xe0a1a000)
9ea0:                                     c1204d48 c0a1b2c3
 touch from cause+0x20/0x80
---[ end trace 0000000000000000 ]---`,
  ],
  [
    "oops",
    "Unable to handle kernel access to user memory without uaccess routines at virtual address 10",
    `Unable to handle kernel access to user memory without uaccess routines at virtual address 10
Oops [#1]
CPU: 1 PID: 60 Comm: sh Not tainted 6.6.0 #1
epc : touch+0xa/0x12
 ra : cause+0x60/0x90
epc : ffffffff80202a0a ra : ffffffff80202b60 sp : ff2000000067bc80
status: 0000000200000120 badaddr: 0000000000000010 cause: 000000000000000f
[<ffffffff80202a0a>] touch+0xa/0x12
---[ end trace 0000000000000000 ]---`,
  ],
  [
    "oops",
    "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] PREEMPT SMP",
    `general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] PREEMPT SMP
CPU: 0 PID: 99 Comm: sh Not tainted 6.1.0 #1
RIP: 0010:walk+0x1/0x2
---[ end trace 0000000000000000 ]---`,
  ],
  [
    "oops",
    "BUG: unable to handle page fault for address: ffffffffffff0000",
    `BUG: unable to handle page fault for address: ffffffffffff0000
#PF: supervisor write access in kernel mode
PGD 1800c067 P4D 1800c067 PUD 0
Oops: 0002 [#1] PREEMPT SMP NOPTI
CPU: 0 PID: 99 Comm: sh Not tainted 6.1.0 #1
---[ end trace 0000000000000000 ]---`,
  ],
  [
    "fault",
    "Unhandled fault: imprecise external abort (0x1406) at 0xb6f3c000",
    `Unhandled fault: imprecise external abort (0x1406) at 0xb6f3c000
Internal error: : 1406 [#1] SMP ARM
CPU: 0 PID: 1 Comm: swapper/0 Not tainted 4.19.0 #1
---[ end trace 5a4b3c2d1e0f9a8b ]---`,
  ],
  [
    "hard-lockup",
    "NMI watchdog: Watchdog detected hard LOCKUP on cpu 3",
    `NMI watchdog: Watchdog detected hard LOCKUP on cpu 3
Modules linked in: dummy
CPU: 3 PID: 70 Comm: sh Not tainted 6.1.0 #1
RIP: 0010:spin+0x10/0x20
Call Trace:
 <TASK>
 cause+0x10/0x20
 </TASK>`,
  ],
  [
    "rcu-stall",
    "INFO: rcu_sched detected stalls on CPUs/tasks:",
    `INFO: rcu_sched detected stalls on CPUs/tasks:
	1-...0: (1 GPs behind) idle=5a6/1/0x4000000000000000 softirq=100/101 fqs=2500
	(detected by 0, t=5252 jiffies, g=1001, q=5)
Sending NMI from CPU 0 to CPUs 1:
NMI backtrace for cpu 1
CPU: 1 PID: 70 Comm: sh Not tainted 5.4.0 #1
RIP: 0010:spin+0x10/0x20`,
  ],
  [
    "lockdep",
    "WARNING: possible circular locking dependency detected",
    `======================================================
WARNING: possible circular locking dependency detected
6.1.0 #1 Not tainted
------------------------------------------------------
sh/80 is trying to acquire lock:
ffff888001234568 (&b->lock){+.+.}-{3:3}, at: take_b+0x1c/0x30

but task is already holding lock:
ffff888001234500 (&a->lock){+.+.}-{3:3}, at: take_a+0x1c/0x30

which lock already depends on the new lock.
*** DEADLOCK ***
2 locks held by sh/80:
 #0: ffff888001234500 (&a->lock){+.+.}-{3:3}, at: take_a+0x1c/0x30

stack backtrace:
CPU: 0 PID: 80 Comm: sh Not tainted 6.1.0 #1
Call Trace:
 take_b+0x1c/0x30`,
  ],
  [
    "lockdep",
    "WARNING: suspicious RCU usage",
    `=============================
WARNING: suspicious RCU usage
6.1.0 #1 Not tainted
-----------------------------
kernel/look.c:10 suspicious rcu_dereference_check() usage!
other info that might help us debug this:
rcu_scheduler_active = 2, debug_locks = 1
no locks held by sh/80.
stack backtrace:
CPU: 0 PID: 80 Comm: sh Not tainted 6.1.0 #1
Call Trace:
 look+0x1c/0x30`,
  ],
  [
    "lockdep",
    "[ BUG: Invalid wait context ]",
    `=============================
[ BUG: Invalid wait context ]
6.1.0 #1 Not tainted
-----------------------------
sh/80 is trying to lock:
stack backtrace:
CPU: 0 PID: 80 Comm: sh Not tainted 6.1.0 #1`,
  ],
  [
    "atomic",
    "BUG: sleeping function called from invalid context at kernel/nap.c:12",
    `BUG: sleeping function called from invalid context at kernel/nap.c:12
in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 80, name: sh
preempt_count: 1, expected: 0
CPU: 0 PID: 80 Comm: sh Not tainted 6.1.0 #1
Call Trace:
 nap+0x1c/0x30`,
  ],
  [
    "workqueue-lockup",
    "BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for 34s!",
    `BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for 34s!
Showing busy workqueues and worker pools:
workqueue events: flags=0x0
  pwq 2: cpus=1 node=0 flags=0x0 nice=0 active=1/256 refcnt=2
    pending: vmstat_shepherd`,
  ],
  [
    "bad-page",
    "BUG: Bad page state in process sh  pfn:01234",
    `BUG: Bad page state in process sh  pfn:01234
page:ffffea0000048d00 refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x1234
page dumped because: nonzero _refcount
CPU: 0 PID: 80 Comm: sh Not tainted 6.1.0 #1`,
  ],
  [
    "panic",
    "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
    `Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100
CPU: 0 PID: 1 Comm: init Not tainted 6.1.0 #1
---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100 ]---`,
  ],
];

/** As kernels with other settings would print it. */
const PREFIXES: readonly (readonly [string, (line: string, n: number) => string])[] = [
  ["no time", (line) => line],
  ["times", (line, n) => `[   12.${345_678 + n}] ${line}`],
  ["times and callers", (line, n) => `[   12.${345_678 + n}][   T80] ${line}`],
  ["times and levels", (line, n) => `<4>[   12.${345_678 + n}] ${line}`],
  ["levels", (line) => `<4>${line}`],
];

describe.each(SHAPES)("%s: %s", (kind, message, text) => {
  test.each(PREFIXES)("is found once in a kernel's log with %s", (_name, prefixed) => {
    const before = ["test output", prefixed("usb 1-1: new device", 0)];
    const own = text.split("\n").map((line, n) => prefixed(line, n + 1));
    const reports = reportsIn([...before, ...own, "more test output"]);
    expect(inShort(reports)).toEqual([`${kind}: ${message}`]);
    expect(reports[0]?.lastLine).toBe(before.length + own.length - 1);
  });
});

describe("a kernel's report", () => {
  const stamped = (line: string, n: number): string => `[   12.${345_678 + n}] ${line}`;
  const warning = [
    "------------[ cut here ]------------",
    "WARNING: CPU: 1 PID: 80 at kernel/jump.c:12 jump+0x10/0x20",
    "CPU: 1 PID: 80 Comm: sh Not tainted 6.1.0 #1",
    "Call Trace:",
    " jump+0x10/0x20",
    "---[ end trace 0000000000000000 ]---",
  ].map(stamped);

  test("is recognised behind what a shell or a test was printing in its line", () => {
    const [cut = "", ...rest] = warning;
    const reports = reportsIn([`root@dut:~# ${cut}`, ...rest]);
    expect(reports).toMatchObject([{ kind: "warning", firstLine: 0, lastLine: 5, cut: false }]);
  });

  test("has its own lines only, without what tests print meanwhile", () => {
    const lines = warning.flatMap((line) => [line, "ok 1 some test"]);
    expect(reportsIn(lines)[0]?.lines).toEqual(warning);
  });

  test("that a reset cuts off ends there, and the reset is a report while tests run", () => {
    const lines = [...warning.slice(0, 3), "U-Boot SPL 2024.01 (Jan 01 2024)", "more"];
    expect(inShort(reportsIn(lines, { testsRun: true }))).toEqual([
      "warning (cut): WARNING: CPU: 1 PID: 80 at kernel/jump.c:12 jump+0x10/0x20",
      "DUT_has_reset: U-Boot SPL 2024.01 (Jan 01 2024)",
    ]);
    expect(reportsIn(lines).map(({ kind }) => kind)).toEqual(["warning"]);
  });

  test("that other output cuts off for good is closed with what there was", () => {
    const chatter = Array.from({ length: 1000 }, (_, n) => `ok ${n}`);
    const reports = new KernelReports();
    for (const line of [...warning.slice(0, 3), ...chatter, ...warning.slice(5)]) {
      reports.add(line, 0);
    }
    expect(reports.take().reports).toMatchObject([{ kind: "warning", cut: true }]);
  });

  test.each([
    "[  104.201377] Kernell panic - not syncing: oh",
    "[  104.201377] Kernel panic - n\u{fffd}ot syncing: oh",
    "el panic - not syncing: oh",
    "nic - not syncing: oh",
    "- not syncing: oh",
    "201377] Kernel panic - not syncing: oh",
    "[  104.201377] Kernel panic -[ 3631.869644][    T1] macb ff0e0000.ethernet eth0: Link is Up",
    "201377] Kernel panic - not syncing: Attempted to[ 3514.226328] EXT4-fs (mmcblk0p2): re-mounted",
    "el panic - not syncing: oh<0>[ 1127.854601] audit: type=1400",
    "9] ---[ end Kernel panic - not syncing: oh ]---",
    "[  104.203519] --[ end Kernl panic - not syncing: oh ]---",
    "[  104.203519] ---[ end Kernel panic - \u{fffd}not syncing: oh ]---",
  ])("of a panic is known by what noise has left of its words: %s", (line) => {
    expect(reportsIn([line])).toMatchObject([{ kind: "panic" }]);
  });

  test("of a panic is known by its last line, when its first was lost", () => {
    const end = "[    1.5] ---[ end Kernel panic - not syncing: oh ]---".replace("1.5", "1.500000");
    expect(reportsIn(["[    1.400000] Kernel pa", end])).toMatchObject([{ kind: "panic" }]);
  });

  test("counts once when dmesg prints it again", () => {
    expect(reportsIn([...warning, "# dmesg", ...warning, ...warning])).toHaveLength(1);
  });

  test("counts again when it happens again", () => {
    const later = warning.map((line) => line.replace("12.", "13."));
    expect(reportsIn([...warning, ...later])).toHaveLength(2);
  });

  test("is not what tests say in such words", () => {
    const words = [
      "+ grep -q 'Kernel panic - not syncing' log",
      "WARNING: this test is slow",
      "BUG: 12345 is still open",
      "INFO: all is well",
      "checking for Oops: none",
      "[ 12%] Building, WARNING: CPU: 1 PID: 2 at no place",
      "echo BUG: KASAN: in a text",
    ];
    expect(reportsIn(words)).toEqual([]);
  });

  test("keeps to bounds, however many there are and however long", () => {
    const reports = new KernelReports();
    for (let n = 0; n < 200; n++) {
      for (const line of warning) reports.add(line.replace("12.", `${n + 20}.`), n);
    }
    reports.add("[  900.000000] Kernel panic - not syncing: endless", 1);
    for (let n = 0; n < 5000; n++) reports.add(`[  900.100000] ${"x".repeat(2000)}`, n);
    const { reports: kept, omitted } = reports.take();
    expect([kept.length, omitted]).toEqual([50, 151]);
    // What the kernel died of is worth more than another complaint.
    expect(kept.filter(({ kind }) => kind === "panic")).toHaveLength(1);
    expect(reports.take()).toEqual({ reports: [], omitted: 0 });

    reports.add("[ 1900.000000] Kernel panic - not syncing: endless", 1);
    for (let n = 0; n < 5000; n++) reports.add(`[ 1900.100000] ${"x".repeat(2000)}`, n);
    const [endless] = reports.take().reports;
    expect(endless).toMatchObject({ kind: "panic", cut: true });
    expect(endless?.lines).toHaveLength(100);
    expect(Math.max(...(endless?.lines ?? []).map(({ length }) => length))).toBe(200);
  });

  test("is not looked for where a job ignores them", () => {
    const reports = new KernelReports();
    reports.isIgnoring = true;
    for (const [n, line] of warning.entries()) reports.add(line, n);
    expect(reports.take().reports).toEqual([]);
  });
});
