import type { GroupAnswer, GroupCall, GroupData } from "../../pipeline/group.ts";
import { journalSum } from "./journal-lines.ts";

/**
 * A question to the group that a test printed without the journal's tail: `<LAVA_MULTI_NODE> <LAVA_WAIT id>` (MULTINODE.md 3).
 * A quote behind it is a shell's, in a trace. What follows in its line is looked at, and left there.
 */
export const PLAIN_CALL =
  /<LAVA_MULTI_NODE> (<LAVA_(?:SEND|WAIT_ALL|WAIT|SYNC) [^<>\r\n]+>)(?! ?~)(?!')(?=([^\n]*))/g;

const CALL = /^<LAVA_(SEND|WAIT_ALL|WAIT|SYNC) ([^>]+)>$/;

/** Of the DUT's question: the word of its answer, the name of its result record, what is asked. */
export interface DutCall {
  readonly word: string;
  readonly caseName: string;
  readonly call: GroupCall;
}

/** What `<LAVA_WAIT id>` asks; undefined for any other text. */
export function dutCall(text: string): DutCall | undefined {
  const [, word = "", words = ""] = CALL.exec(text) ?? [];
  const [id, ...more] = words.trim().split(/\s+/);
  if (word === "" || id === undefined || id === "") return undefined;
  const caseName = `multinode-${word.toLowerCase()}-${id}`;
  return { word, caseName, call: callOf(word, id, more) };
}

function callOf(word: string, id: string, words: readonly string[]): GroupCall {
  if (word === "SEND") return { op: "send", id, data: readPairs(words.join(" ")) };
  if (word === "WAIT") return { op: "wait", id };
  if (word === "SYNC") return { op: "sync", id };
  return { op: "wait-all", id, role: words[0] };
}

/** `k=v other=two words`: a value goes on up to the next `key=` (MULTINODE.md 3). */
export function readPairs(text: string): ReadonlyMap<string, string> {
  const pairs = text.matchAll(/(?:^|\s)([^\s=]+)=(.*?)(?=\s+[^\s=]+=|\s*$)/g);
  return new Map([...pairs].map(([, key = "", value = ""]) => [key, value]));
}

/** `12:k=v 13:k=v`, as LAVA types it. */
export const pairsText = (data: GroupData): string =>
  [...data]
    .flatMap(([sender, pairs]) => [...pairs].map(([key, value]) => `${sender}:${key}=${value}`))
    .join(" ");

/** A terminal forgets what a line has beyond 4 KiB, and what is short gets over a noisy line. */
const PART_CHARS = 160;

/**
 * The lines that answer a question of the DUT: LAVA's words, `<LAVA_WAIT_COMPLETE 12:k=v>`. To an entry of the journal, by its number,
 * each with a sum, and a long one in parts.
 */
export function answerLines(
  word: string,
  answer: GroupAnswer,
  entry: number | undefined,
): string[] {
  const said = answer.kind === "ack" ? pairsText(answer.data) : "nack";
  const whole = `<LAVA_${word}_COMPLETE${said === "" ? "" : ` ${said}`}>`;
  // LAVA's second line is one that a shell has no use for.
  if (entry === undefined) return [whole, ""];
  if (said.length <= PART_CHARS) return [summed(entry, whole)];
  const parts: string[] = [];
  for (let at = 0; at < said.length; at += PART_CHARS) {
    const part = said.slice(at, at + PART_CHARS);
    parts.push(summed(entry, `<LAVA_${word}_PART ${parts.length + 1} ${part}>`));
  }
  return [...parts, summed(entry, `<LAVA_${word}_PARTS ${parts.length}>`)];
}

/** Of what is not plain ASCII no shell knows a sum. */
const summed = (entry: number, line: string): string =>
  /^[ -~]*$/.test(line) ? `${line} ~${journalSum(`${entry} ${line}`)}~` : line;
