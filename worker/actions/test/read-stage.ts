import type { Console, Match } from "../../console/console.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { JOURNALLED, journalLine, journalWord, ranges, type JournalLine } from "./journal-lines.ts";
import { Journal, type Delivery } from "./journal.ts";
import type { MultinodeCalls } from "./multinode-calls.ts";
import { PLAIN_CALL } from "./multinode-words.ts";
import { MENDED_CHARS, mendedLine, TAIL_END } from "./mended-line.ts";
import type { SignalReader } from "./signal-reader.ts";
import { fitsNoEntry, hasItsWords, isTrace, SIGNAL } from "./signal-words.ts";

/** A stage that is being read. */
interface Reading {
  readonly context: RunContext;
  readonly console: Console;
  readonly reader: SignalReader;
  /** In a multinode job only. */
  readonly calls: MultinodeCalls | undefined;
  readonly journal: Journal<Parsed>;
  /** Called for everything that shows that the test shell lives. */
  readonly alive: (logLine: number) => void;
  readonly lost: number[];
  /** Where, on the console, the last intact line of the journal ended that was not asked for. */
  intactUpTo: number;
  /** All tests have run, and all that the DUT had to say of them is here. */
  isOver: boolean;
  /** The DUT said that it has been answered, or it keeps no journal: there is nothing more to come. */
  hasLeft: boolean;
  /** Since when, and up to which number, entries are missing that the DUT was not asked for yet. */
  gap: { readonly since: number; readonly upTo: number } | undefined;
  askedUpTo: number;
  typed: { readonly text: string; readonly at: number } | undefined;
}

type Parsed = Pick<Match<string>, "match" | "logLine">;

const EXIT = "<LAVA_TEST_RUNNER EXIT>";
const INSTALL_FAIL = "<LAVA_TEST_RUNNER INSTALL_FAIL>";
/** What follows in its line is looked at, and left there. */
const CANDIDATE = new RegExp(`(?:${SIGNAL.source}|${EXIT}|${INSTALL_FAIL})(?=([^\\n]*))`, "g");
const ONE_SIGNAL = new RegExp(SIGNAL.source);
/** What may be left of ` ~ID.N.SUM~`. */
const TAIL = /^ ?~|^ \d+\.\d+|\d\.\d+-\d+~?\s*$/;

/** An entry that others have overtaken may still be on its way for so long. */
const LATE_MS = 500;
/** An answer is given again when it may have got lost. */
const AGAIN_MS = 900;
/** The DUT repeats itself more often than that until it is answered: when it doesn't, it has gone on. */
const SILENCE_SECONDS = 2.5;

/**
 * Reads the signals of a stage to its end (TEST-SHELL.md 3); of a DUT that keeps a journal, in the DUT's order and each
 * once (docs/journal.md).
 *
 * @throws JobFailure Test for a signal that ends the job, Infrastructure when the connection closes.
 */
export async function readStage(
  context: RunContext,
  console: Console,
  reader: SignalReader,
  alive: (logLine: number) => void,
  calls?: MultinodeCalls,
): Promise<void> {
  const reading: Reading = {
    ...{ context, console, reader, alive, calls, journal: new Journal(), lost: [], intactUpTo: 0 },
    ...{ isOver: false, hasLeft: false, gap: undefined, askedUpTo: 0, typed: undefined },
  };
  try {
    while (!reading.hasLeft && !calls?.isStopped) await readOn(reading);
    if (calls?.isStopped) await letGo(reading);
    else await calls?.drain();
  } catch (error) {
    // All is here that the DUT had to say: how it goes on is for others to find out.
    if (!reading.isOver || isOfTheJob(error)) throw error;
  } finally {
    // Of what comes behind a call that timed out nothing counts, and so nothing is missing.
    if (!calls?.isStopped) endReading(reading);
  }
}

function endReading(reading: Reading): void {
  const isTorn = hasTornEnd(reading);
  deliverRest(reading);
  const lost = lostRanges(reading.lost);
  const andMore = isTorn ? [`${reading.journal.next}-`] : [];
  const all = [lost, ...andMore].filter((range) => range !== "").join();
  if (all !== "") reportLost(reading, all);
}

/** Whether the DUT went away after it began to print one more entry, or printed one that nothing intact has followed. */
function hasTornEnd({ console, journal, isOver, intactUpTo }: Reading): boolean {
  if (journal.id === undefined || isOver) return false;
  const unknown = console
    .textSince(intactUpTo)
    .replace(JOURNALLED, (line) => (isIntact(line) ? "" : line))
    .replace(OF_CALLS, "")
    .replace(OF_TESTS, "");
  return new RegExp(`<LAVA|LAVA_S|_SIGNAL_|\\b${journal.id}\\.\\d+\\.`).test(unknown);
}

function isIntact(line: string): boolean {
  const [found] = line.matchAll(JOURNALLED);
  return found !== undefined && journalLine(found) !== undefined;
}

/** What stands before a question to the group, and the echoes of answers. */
const OF_CALLS = /<LAVA_MULTI_NODE> |<LAVA_(?:SYNC|WAIT|WAIT_ALL)_(?:COMPLETE|PARTS?)\b[^\r\n]*/g;

/** What tests have printed themselves, and traces of it. */
const OF_TESTS = /^(?:[ \t]*\++ .*|<LAVA_SIGNAL_\S+ [^<>\r\n]*>\r*)$/gm;

/** Told by a signal, or the end of the job's time. */
const isOfTheJob = (error: unknown): boolean =>
  !(error instanceof JobFailure) || error.type !== "Infrastructure";

async function readOn(reading: Reading): Promise<void> {
  const { context, console, reader, calls, gap, isOver } = reading;
  const pattern = reader.parsePattern;
  const patterns: Record<string, RegExp> = {
    journalled: JOURNALLED,
    candidate: CANDIDATE,
    ...(reading.journal.id === undefined ? {} : { tail: TAIL_END }),
    ...(reading.calls ? { call: PLAIN_CALL } : {}),
    ...(pattern ? { pattern } : {}),
  };
  // Only the action's own time-out, through its signal, ends this wait.
  const wait = {
    ...{ timeoutSeconds: context.timeoutSeconds, signal: context.signal, inLine: true },
    ...(calls ? { giveUp: calls.news } : {}),
  };
  if (gap) wait.timeoutSeconds = LATE_MS / 1000;
  if (isOver) wait.timeoutSeconds = SILENCE_SECONDS;
  const found = await console.tryExpect(patterns, wait);
  const hasNews = calls?.news.aborted === true;
  if (!found && isOver && !hasNews) reading.hasLeft = true;
  if (hasNews) await calls?.typeAll(calls.settle(), (line) => type(reading, line, true));
  if (found) await heard(reading, found);
  await askForGap(reading);
}

async function heard(reading: Reading, found: Match<string>): Promise<void> {
  const { journal, context, alive, console } = reading;
  const { match, logLine, lineBefore } = found;
  if (found.name === "pattern") return deliver(reading, journal.parsed({ match, logLine }));
  if (found.name === "call") return plainCall(reading, found);
  const isMended = found.name === "tail";
  const line = isMended ? mendedTail(console) : intactLine(found);
  if (isMended && !line) return;
  const word = line && journalWord(line);
  if (line) {
    alive(logLine);
    // What was asked for comes behind what may have been torn.
    if (word || line.number > journal.last) reading.intactUpTo = console.consumed;
  }
  if (line && word) {
    const { deliveries, answer } = journal.told(word, line);
    deliver(reading, deliveries);
    if (answer !== undefined) await type(reading, answer);
    if (word === "ENDS" && journal.missing.size === 0) reading.isOver = true;
    if (word === "DONE" && reading.isOver) reading.hasLeft = true;
  } else if (line) {
    deliver(reading, journal.entry(line, logLine, { isMended }));
    if (line.id === journal.id) await listens(reading, line);
  } else if (isTrace(lineBefore)) {
    context.log.debug(`a shell's trace of a signal, not counted: ${match[0]}`);
  } else {
    deliver(reading, journal.candidate(candidateOf(found)));
  }
}

/** Who asked the group something reads what is typed: what is missing is asked for, what it was answered may be missing there. */
async function listens(reading: Reading, line: JournalLine): Promise<void> {
  const { calls, journal } = reading;
  if (!calls || !BLOCKING.test(line.text)) return;
  const question = journal.want();
  if (question !== undefined) return type(reading, question);
  const again = calls.askedAgain(line.number);
  await calls.typeAll(again, (answer) => type(reading, answer, true));
}

const BLOCKING = /^<LAVA_(?:WAIT|WAIT_ALL|SYNC) /;

/**
 * A question without a tail: of a DUT that keeps no journal, or one that no journal can hold. Any other is what noise has left of
 * an entry, and must not count beside that.
 */
function plainCall(
  { calls, journal, context }: Reading,
  { match, lineBefore }: Match<string>,
): void {
  const [, text = "", rest = ""] = match;
  const isAlone = lineBefore.trim() === "" && rest.trim() === "";
  const isOurs = journal.id === undefined || (isAlone && fitsNoEntry(text));
  if (isOurs && !isTrace(lineBefore)) calls?.take(text);
  else context.log.warning(`not asked, as it may be damaged: ${match[0]} (lava-wait ... ask it)`);
}

/** For so long a DUT whose call has timed out may take to end its tests, of which nothing counts any more. */
const LET_GO_SECONDS = 10;

/** Lets a DUT go on that waits for an answer, so that it is at its prompt for what comes next. */
async function letGo(reading: Reading): Promise<void> {
  const { context, console, calls, journal } = reading;
  for (const line of calls?.settle() ?? []) await type(reading, line, true);
  const ends = performance.now() + LET_GO_SECONDS * 1000;
  while (!reading.hasLeft && performance.now() < ends) {
    const wait = { timeoutSeconds: (ends - performance.now()) / 1000, signal: context.signal };
    const found = await console.tryExpect(
      { journalled: JOURNALLED, exit: new RegExp(EXIT, "g") },
      { ...wait, inLine: true },
    );
    const line = found && intactLine(found);
    const word = line && journalWord(line);
    if (line && word) {
      const { answer } = journal.told(word, line);
      if (answer !== undefined) await type(reading, answer);
    } else if (line) journal.entry(line, found.logLine);
    reading.hasLeft = word === "DONE" || (found?.name === "exit" && journal.id === undefined);
  }
}

const intactLine = ({ name, match }: Match<string>): JournalLine | undefined =>
  name === "journalled" ? journalLine(match) : undefined;

function mendedTail(console: Console): JournalLine | undefined {
  const from = console.consumed - MENDED_CHARS;
  return mendedLine(console.textSince(from).slice(0, console.consumed - Math.max(from, 0)));
}

function candidateOf({ name, match, lineBefore, logLine }: Match<string>) {
  // The sum of one with a tail was wrong.
  if (name === "journalled") {
    const text = match[0].slice(0, match[0].lastIndexOf(">") + 1);
    return { text, logLine, isAlone: false, hasTail: true };
  }
  const rest = match[3] ?? "";
  const isAlone = lineBefore.trim() === "" && rest.trim() === "";
  return { text: match[0], logLine, isAlone, hasTail: TAIL.test(rest) };
}

/** Asks once for what is missing in the middle of a definition, where somebody looks for questions then. */
async function askForGap(reading: Reading): Promise<void> {
  const { journal, gap } = reading;
  const upTo = journal.polls ? (journal.lastMissing ?? 0) : 0;
  if (upTo <= reading.askedUpTo) reading.gap = undefined;
  else if (gap === undefined) reading.gap = { since: performance.now(), upTo };
  else if (performance.now() - gap.since >= LATE_MS) {
    const question = journal.want();
    reading.askedUpTo = upTo;
    reading.gap = undefined;
    if (question !== undefined) await type(reading, question);
  }
}

/** The DUT may have said the same twice before it was answered: what it has no use for, others would read. */
async function type(reading: Reading, text: string, isAnswer = false): Promise<void> {
  const { console, typed } = reading;
  if (!isAnswer && typed?.text === text && performance.now() - typed.at < AGAIN_MS) return;
  reading.typed = { text, at: performance.now() };
  try {
    await console.sendLine(text);
  } catch (error) {
    // A connection that closed still has to be read to its end.
    if (isOfTheJob(error)) throw error;
  }
}

function deliver(reading: Reading, deliveries: readonly Delivery<Parsed>[]): void {
  const { reader, context, lost } = reading;
  for (const one of deliveries) {
    switch (one.kind) {
      case "parsed":
        reader.parsed(one.parsed.match, one.parsed.logLine);
        break;
      case "lost":
        if (lost.length < MAX_LOST) lost.push(one.number);
        reader.signalLost();
        break;
      case "dropped":
        context.log.warning(
          `what looks like a signal may be a damaged one, not counted: ${JSON.stringify(one.text)}`,
        );
        break;
      case "signal":
        deliverSignal(reading, one.text, one.logLine, one.number);
        break;
    }
  }
}

function deliverSignal(
  reading: Reading,
  text: string,
  logLine: number,
  number: number | undefined,
): void {
  const isEntry = number !== undefined;
  const { reader, journal, context, alive } = reading;
  const keepsNone = journal.id === undefined;
  if (keepsNone) alive(logLine);
  if (isEntry && reading.calls?.take(text, number)) return;
  if (text === INSTALL_FAIL) return reader.installFailed();
  if (text === EXIT) {
    if (!isEntry && !keepsNone) {
      context.log.debug("an end of the tests that the test shell did not say, not counted");
      return;
    }
    reading.isOver = true;
    reading.hasLeft = keepsNone;
    return;
  }
  const [, name = "", words = ""] = ONE_SIGNAL.exec(text) ?? [];
  if (isEntry || keepsNone || hasItsWords(name, words)) reader.signal(name, words, logLine);
  else context.log.error(`a signal that is not whole, not counted: ${JSON.stringify(text)}`);
}

/** However the stage ends: what arrived stands, and can't end it in another way. */
function deliverRest(reading: Reading): void {
  const { journal, context, lost } = reading;
  for (const one of journal.close()) {
    try {
      deliver(reading, [one]);
    } catch (error) {
      context.log.error(JobFailure.from(error).message);
      // Of a run whose beginning is lost, say.
      if (one.kind === "signal" && one.number !== undefined) lost.push(one.number);
    }
  }
}

/** Numbers that are named; nobody reads more. */
const MAX_LOST = 10_000;
const MAX_LOST_CHARS = 1000;

function lostRanges(lost: readonly number[]): string {
  const sorted = lost.toSorted((one, other) => one - other);
  const text = ranges(sorted, MAX_LOST_CHARS);
  const isAll = lost.length < MAX_LOST && text.endsWith(String(sorted.at(-1) ?? ""));
  return isAll ? text : `${text},...`;
}

function reportLost({ context }: Reading, lost: string): void {
  context.log.error(
    `lost: entries ${lost} of the test shell's journal arrived damaged, and the DUT did not give them again: results are missing`,
  );
  const record = { definition: "lava", case: "test-journal", result: "fail", extra: { lost } };
  context.log.result(record);
}
