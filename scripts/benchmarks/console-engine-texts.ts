const WORDS =
  "usb pci driver registered device new high-speed memory cpu init loaded module Freeing clk gpio regulator supply not found using dummy eth0 link up mmc0 card at address random: crng ext4 mounted filesystem systemd[1]: Started Reached target irq".split(
    " ",
  );
/** What nearly matches, but does not. */
const NEAR_MISSES =
  "WARNING BUG Oops Kernel panic <LAVA_SIGNAL <LAVA_TEST_RUNNER root@ root@dut:/tmp$ <1> <LAVA /# login login-shell: ERROR: cut here U-Boot SPL VFS: Unhandled -[ (initram".split(
    " ",
  );
const TEXT_BYTES = 4_000_000;
const BURST_BYTES = 10_000_000;

/** What DUTs say, by what is hard about it; each is the same whenever it is made. */
export const ENGINE_TEXTS: Readonly<Record<string, () => Buffer>> = {
  "boot log, lines of 250": () => bootLog({ lineChars: 250 }),
  "boot log, lines of 40": () => bootLog({ lineChars: 40 }),
  "a burst of 10 MB without a line's end": () => Buffer.alloc(BURST_BYTES, "burst "),
  "noise: NUL, no UTF-8, ANSI": () => noisy(bootLog({ lineChars: 80 })),
  "near misses": () =>
    bootLog({ lineChars: 80, words: [...WORDS, ...NEAR_MISSES, ...NEAR_MISSES] }),
  "test signals, every fourth line": () => bootLog({ lineChars: 60, signalEvery: 4 }),
};

function bootLog({ lineChars = 40, words = WORDS, signalEvery = 0 }): Buffer {
  const random = generator();
  const lines: string[] = [];
  for (let chars = 0, n = 0; chars < TEXT_BYTES; n++) {
    const wanted = lineChars * (0.7 + 0.6 * random());
    let line = `[${(n / 50).toFixed(6).padStart(12)}]`;
    while (line.length < wanted) line += ` ${words[Math.floor(random() * words.length)]}`;
    if (signalEvery > 0 && n % signalEvery === 0) {
      line = `<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=case-${n} RESULT=pass>`;
    }
    lines.push(`${line}\r\n`);
    chars += line.length + 2;
  }
  return Buffer.from(lines.join(""));
}

/** One byte in a hundred is none of text's. */
function noisy(bytes: Buffer): Buffer {
  const random = generator();
  const kinds = [Buffer.of(0), Buffer.of(0xff), Buffer.of(0xc3), Buffer.from("\u001b[1;31m")];
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const next = at + 1 + Math.floor(random() * 200);
    pieces.push(bytes.subarray(at, next), kinds[Math.floor(random() * kinds.length)] ?? bytes);
    at = next;
  }
  return Buffer.concat(pieces);
}

/** Numbers from 0 to 1, always the same (mulberry32). */
function generator(): () => number {
  let state = 6;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
