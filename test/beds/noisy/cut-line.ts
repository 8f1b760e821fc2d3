import type { Transport } from "../../../worker/console/transport.ts";

/** How a DUT dies in the middle of its tests. */
export interface Cut {
  /** Its connection closes, it falls silent, its kernel panics and is silent then, or somebody resets it: it boots again. */
  readonly how: "closed" | "silent" | "panic" | "reset";
  /** So many signals behind the start of the first run, and so many characters more. */
  readonly afterSignal: number;
  readonly more: number;
}

export interface CutLine {
  wrap(inner: Transport): Transport;
  /** All that the DUT said while it lived. */
  said(): string;
  isCut(): boolean;
}

const PANIC = `\r
[  104.201377] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\r
[  104.201514] CPU: 1 PID: 1 Comm: init Not tainted 6.1.0 #1\r
[  104.202118] Call trace:\r
[  104.202377]  dump_backtrace+0x0/0x1a0\r
[  104.203377]  panic+0x160/0x330\r
[  104.203519] ---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b ]---\r
`;

/** A line to a DUT that dies at a place that only depends on what it says. Keeps what it said before, for the truth. */
export function cutLine(cut: Cut | undefined, reset: () => void = () => {}): CutLine {
  let said = "";
  let isCut = false;
  /** It was reset, and boots. */
  let isReborn = false;
  const place = (): number => {
    if (!cut) return Infinity;
    const starts = said.matchAll(/<LAVA_SIGNAL_(?!RETRUNCODE)[^\n]*\n/g);
    const signal = [...starts][cut.afterSignal - 1];
    return signal ? signal.index + signal[0].length + cut.more : Infinity;
  };
  return {
    said: () => said,
    isCut: () => isCut,
    wrap: (inner) => ({
      onData: (listener) => {
        inner.onData((bytes) => {
          if (isCut && cut?.how !== "reset") return;
          const before = said.length;
          if (!isReborn) said += Buffer.from(bytes).toString("latin1");
          if (isCut) {
            isReborn ||= said.includes("Linux version");
            return listener(bytes);
          }
          const end = place();
          isCut = end <= said.length;
          // A button takes a moment to be pressed: until then the DUT goes on.
          if (isCut && cut?.how === "reset") reset();
          else if (isCut) said = said.slice(0, end);
          if (said.length > before) listener(Buffer.from(said.slice(before), "latin1"));
          if (isCut && cut?.how === "panic") listener(Buffer.from(PANIC));
          if (isCut && cut?.how === "closed") void inner.close();
        });
      },
      onEnd: (listener) => inner.onEnd(listener),
      write: async (bytes) => {
        if (!isCut || cut?.how === "reset") await inner.write(bytes);
      },
      close: () => inner.close(),
    }),
  };
}
