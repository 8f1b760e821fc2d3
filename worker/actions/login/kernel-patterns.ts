export interface KernelPattern {
  /** The message's kind, except for traces, whose content says it. */
  readonly name: string;
  readonly start: RegExp;
  readonly end: RegExp;
  /** The DUT is dead after it. */
  readonly fatal: boolean;
}

/** What a kernel in trouble prints (DISPATCHER.md 9), in the order in which they are tried. */
export const KERNEL_PATTERNS: readonly KernelPattern[] = [
  pattern("trace", /-\[ cut here \]/g, /-+\[ end trace \w* \]-+[^\n]*\r/g),
  pattern("fault", /Unhandled fault/g, /\r/g),
  pattern("kcsan", /BUG: KCSAN:/g, /=+\r/g),
  pattern("kasan", /BUG: KASAN:/g, /=+\r/g),
  pattern("kfence", /BUG: KFENCE:/g, /=+\r/g),
  pattern("oops", /Oops(?: -|:)/g, /\r/g),
  pattern("warning", /WARNING:/g, /end trace[^\r]*\r/g),
  pattern("bug", /(?:kernel BUG at|BUG:)/g, /\r/g),
  pattern("invalid opcode", /invalid opcode:/g, /\r/g),
  pattern("panic", /Kernel panic - not syncing/g, /end Kernel panic[^\r]*\r/g, true),
  pattern("DUT_has_reset", /U-Boot SPL 20[0-9][0-9]/g, /\r/g, true),
];

/** A trace is named for what it reports. */
export function kindOf(name: string, message: string): string {
  if (name !== "trace") return name;
  if (message.includes("Oops")) return "oops";
  if (message.includes("BUG")) return "bug";
  return message.includes("WARNING") ? "warning" : "unknown";
}

function pattern(name: string, start: RegExp, end: RegExp, fatal = false): KernelPattern {
  return { name, start, end, fatal };
}
