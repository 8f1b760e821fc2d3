import type { Console } from "./console.ts";
import { compareEcho, showsEnd } from "./echo.ts";
import { ownWords, withoutKernelLines } from "./kernel-lines.ts";
import { lineCameBack, tooNoisy } from "./line-noise.ts";
import { lastLine, plainText } from "./terminal-text.ts";

export interface TypingOptions {
  /**
   * What makes the far side forget the line that is being typed: `ctrl-c` a bootloader, `ctrl-u` a shell or whatever else is on
   * a terminal, `ctrl-e-u` an editor of lines that Ctrl-C would leave, `escape` a UEFI shell. Undefined: the line is typed blindly.
   */
  readonly discard: Discard | undefined;
  readonly log: { warning(text: string): void; debug(text: string): void };
  readonly signal: AbortSignal;
  /** What may stand before an echo, when it came late. */
  readonly prompts?: readonly RegExp[];
  /** Leaves the echo to be found by who waits next. */
  readonly keepsEcho?: boolean;
  /** Discards and retypes nothing at a far side that has not shown yet that it echoes lines as they are. */
  readonly onlyKnown?: boolean;
}

export type Discard = "ctrl-c" | "ctrl-u" | "ctrl-e-u" | "escape";

/** `checked`: the far side has the line as it was meant; `unchecked`: nobody knows. */
export type Typed = "checked" | "unchecked";

const MAX_TYPED = 8;
/** Of who has shown that it echoes: what comes back is noise then, and a line that is ended half would do harm. */
const MAX_TYPED_KNOWN = 40;
/** Who echoed before may be held up, twice. */
const HELD_UP_MS = 1500;
/** Who is at the far side may echo in a way of its own from some time on, but in the same way then: fewer are as many echoes. */
const MAX_ODD = 10;
const MAX_SILENT = 3;
/** Slower typing helps who is slow, not against noise. */
const MAX_DELAY_MS = 10;
/** Something else came than what was typed: it is over once nothing came for this long. */
const DAMAGED_MS = 100;
/**
 * How long nothing comes until an echo is given up. Who does not echo says nothing for the longest; an echo that has begun goes
 * on, or has lost its end.
 */
const PATIENCE_MS = { none: 600, partial: 500, damaged: DAMAGED_MS, whole: 0 };
/** A line end is answered at once; one that is not was lost, or the far side is held up. */
const ENTER_MS = { "ctrl-c": 3000, "ctrl-u": 1000, "ctrl-e-u": 3000, escape: 3000 };
const MAX_ENTERS = 3;
const MAX_LATE = 2;
/** Longer lines are typed and compared in pieces where the far side shows only part of a line. */
const PIECE_CHARS = 32;

/** What is known of who is at the far side of a console. */
interface FarSide {
  /** It does not echo what is typed. */
  isSilent: boolean;
  /** A line was echoed whole. */
  hasEchoed: boolean;
  /** It shows only part of a long line. */
  scrolls: boolean;
  /** Lines in a row whose echo was never right. */
  odd: number;
  /** Lines whose echo came when they had ended: a busy DUT, or one that echoes whole lines. */
  late: number;
}

const known = new WeakMap<Console, Map<Discard, FarSide>>();

function farSide(console: Console, discard: Discard): FarSide {
  const sides = known.get(console) ?? new Map<Discard, FarSide>();
  known.set(console, sides);
  const side = sides.get(discard) ?? {
    isSilent: false,
    hasEchoed: false,
    scrolls: false,
    odd: 0,
    late: 0,
  };
  sides.set(discard, side);
  return side;
}

/**
 * Types a line, and its end only when the echo says that the far side has the whole line: one that lost a character on
 * the wire is discarded and typed again, slower after the second time. A line end that nothing answers is typed again. Where
 * nothing is echoed, it types as LAVA does and says so once.
 *
 * @throws JobFailure Infrastructure when the connection ends, and when the line is so noisy that nothing can be typed.
 */
export async function typeLine(
  console: Console,
  line: string,
  options: TypingOptions,
): Promise<Typed> {
  const { discard, log } = options;
  const side = discard && farSide(console, discard);
  const isSecret = SECRET.test(lastLine(plainText(console.textSince(console.received - 200))));
  if (!discard || !side || side.isSilent || side.odd > 1 || isSecret || !isComparable(line)) {
    if (side && !isSecret && isComparable(line)) watchEcho(console, line, side);
    await console.sendLine(line);
    return "unchecked";
  }
  const { characterDelayMs } = console;
  const echoes = new Set<string>();
  try {
    for (let typed = 1, silent = 0; ; typed++) {
      const slower = typed < 3 ? 0 : Math.min(2 * (typed - 2), MAX_DELAY_MS);
      console.characterDelayMs = Math.max(characterDelayMs, slower);
      const began = console.received;
      const echo = await typePieces(console, line, side, options);
      if (echo === "whole") {
        [side.odd, side.hasEchoed] = [0, true];
        const isEnded = await endLine(console, discard, options);
        lineCameBack(console, isEnded);
        if (isEnded) return "checked";
      } else if (echo === "silent" && (!side.hasEchoed || ++silent === MAX_SILENT)) {
        await console.endLine();
        return isBlind(console, line, side, log);
      }
      if (side.hasEchoed && echo === "damaged") lineCameBack(console, false);
      const most = side.hasEchoed ? MAX_TYPED_KNOWN : MAX_TYPED;
      if (typed === most || (options.onlyKnown && !side.hasEchoed)) break;
      log.warning("the echo differs from what was typed: discarding the line, typing it again");
      const shown = console.textSince(began);
      echoes.add(plainText(withoutKernelLines(shown)));
      const isDiscarded = await discardLine(console, shown, discard, options);
      // What neither echoes nor edits its line is no terminal.
      if (!isDiscarded && !side.hasEchoed) {
        await console.endLine();
        await console.sendLine(line);
        return isBlind(console, line, side, log);
      }
    }
  } finally {
    console.characterDelayMs = characterDelayMs;
  }
  if (side.hasEchoed && echoes.size > MAX_ODD) {
    throw tooNoisy(console, `${JSON.stringify(line)} can't be typed`);
  }
  side.odd += 1;
  const further = side.odd > 1 ? ": echoes are not compared from here on" : "";
  log.warning(`what was typed did not come back as an echo; going on without${further}`);
  await console.endLine();
  return "unchecked";
}

/** What asks for a line that nobody shall see. */
const SECRET = /(?:pass(?:word|phrase|code)|\bPIN)\b[^:]{0,60}:\s*$/i;

/** Text that comes back as it was typed: no control characters, nothing that looks like a kernel's message. */
const isComparable = (line: string): boolean =>
  /^[\x20-\x7e]*$/.test(line) && withoutKernelLines(line) === line;

function isBlind(console: Console, line: string, side: FarSide, log: TypingOptions["log"]): Typed {
  log.warning("the DUT does not echo what is typed: it is not checked from here on");
  side.isSilent = true;
  watchEcho(console, line, side);
  return "unchecked";
}

/** Somebody may echo after all, who was busy or hard to understand: the line that ends first is that of the echo. */
function watchEcho(console: Console, line: string, side: FarSide): void {
  if (side.late > MAX_LATE) return;
  const stop = console.watchLines((lines) => {
    const shown = lines.find((one) => one === "" || withoutKernelLines(one) !== "");
    if (shown === undefined) return;
    stop();
    if (!withoutKernelLines(shown).endsWith(line) || ++side.late > MAX_LATE) return;
    side.isSilent = false;
    side.odd = 0;
  });
}

/** Types a line without its end and compares what comes back. */
async function typePieces(
  console: Console,
  line: string,
  side: FarSide,
  { signal, prompts = [] }: TypingOptions,
): Promise<"whole" | "silent" | "damaged"> {
  const pieces = side.scrolls ? inPieces(line) : [line];
  const from = console.received;
  let typed = "";
  for (const piece of pieces) {
    const pieceFrom = console.received;
    typed += piece;
    // The log has the line once, however it is typed.
    await console.send(piece, { shownAs: typed === piece ? line : "" });
    const isWhole = (): boolean => {
      if (compareEcho(console.textSince(from), typed, prompts) === "whole") return true;
      const shown = console.textSince(pieceFrom);
      if (!side.scrolls) return false;
      return compareEcho(shown, piece) === "whole" || showsEnd(shown, typed, piece.length + 1);
    };
    const patience = (): number => {
      const echo = compareEcho(console.textSince(from), typed, prompts);
      return echo === "none" && side.hasEchoed ? HELD_UP_MS : PATIENCE_MS[echo];
    };
    if (await becomes(console, isWhole, patience, signal)) continue;
    const all = console.textSince(from);
    if (compareEcho(all, typed, prompts) === "none") return "silent";
    if (!side.scrolls && line.length > PIECE_CHARS && showsEnd(all, typed, 8)) side.scrolls = true;
    return "damaged";
  }
  return "whole";
}

function inPieces(line: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < line.length; at += PIECE_CHARS)
    pieces.push(line.slice(at, at + PIECE_CHARS));
  return pieces;
}

/**
 * Ends the line; false when that came to the far side as something else. U-Boot takes an empty line for the last command
 * again, so a second end has a space before it where the far side may be one: behind a command it means nothing.
 */
async function endLine(
  console: Console,
  discard: Discard,
  { signal, keepsEcho = false, onlyKnown = false, log }: TypingOptions,
): Promise<boolean> {
  if (!keepsEcho) console.skip();
  const from = console.received;
  const answer = (): string => withoutKernelLines(console.textSince(from));
  const isAnswered = (): boolean => /[\r\n]/.test(answer());
  for (let typed = 1; typed <= MAX_ENTERS; typed++) {
    if (typed > 1) log.warning("nothing answered the end of the line: typing it again");
    if (typed > 1 && (discard === "ctrl-c" || onlyKnown)) await console.send(" ", { shownAs: "" });
    await console.endLine();
    if (await becomes(console, isAnswered, () => typed * ENTER_MS[discard], signal)) return true;
    if (answer().trim() !== "") return false;
  }
  log.warning("nothing answers the end of a line; going on");
  return true;
}

/** Ctrl-E and Ctrl-U: to the line's end, forget all before it. */
const KILL_LINE = "\x05\x15";

function discardingKeys(discard: Discard, shown: string): string {
  if (discard === "ctrl-c") return "\x03";
  if (discard === "escape") return "\x1b";
  if (discard === "ctrl-e-u") return KILL_LINE;
  // After a line end a shell may have begun a new line of an open quote, which only Ctrl-C leaves.
  if (shown.includes("\n")) return "\x03";
  // A terminal that says nothing may have been stopped: Ctrl-Q, which makes some take the next character as it is.
  return shown === "" ? `\x11${KILL_LINE}${KILL_LINE}` : KILL_LINE;
}

const MAX_DISCARDS = 4;

/** Has the far side forget what was typed; false when it says nothing to that. */
async function discardLine(
  console: Console,
  shown: string,
  discard: Discard,
  { signal }: TypingOptions,
): Promise<boolean> {
  const keys = discardingKeys(discard, shown);
  let isAnswer = false;
  for (let typed = 1; typed <= MAX_DISCARDS && !isAnswer; typed++) {
    const from = console.received;
    await console.send(keys);
    const isAnswered = (): boolean =>
      /[\b\r\n\x07\x1b]/.test(withoutKernelLines(console.textSince(from)));
    isAnswer = await becomes(console, isAnswered, () => 300, signal);
  }
  const isOver = (): boolean => console.silentMs >= DAMAGED_MS;
  await becomes(console, isOver, () => DAMAGED_MS, signal);
  return isAnswer;
}

/** A far side that never falls silent is not listened to for longer. */
const LISTEN_MS = 20_000;

/**
 * Waits until what came makes `isSo` true; false when nothing came but the kernel's messages for as many milliseconds as
 * `patience` says, which is asked anew whenever something came.
 */
async function becomes(
  console: Console,
  isSo: () => boolean,
  patience: () => number,
  signal: AbortSignal,
): Promise<boolean> {
  const began = performance.now();
  const from = console.received;
  let own = "";
  let ownAt = began;
  for (;;) {
    if (isSo()) return true;
    const { received } = console;
    const words = ownWords(console.textSince(from));
    const now = performance.now();
    if (words !== own) [own, ownAt] = [words, Math.max(began, now - console.silentMs)];
    const left = Math.min(patience() - (now - ownAt), LISTEN_MS - (now - began));
    if (left <= 0) return false;
    const quiet = { ms: 0, since: received };
    await console.tryExpect({}, { timeoutSeconds: left / 1000, signal, quiet });
  }
}
