import type { LogPage } from "#protocol/api.ts";
import type { TimelineAction } from "../timeline.ts";

/** What the page and the two scripts beside it (log-worker.ts, log-search-worker.ts) say to each other. */

export type ToLogWorker =
  | { kind: "open"; job: number; attempt: number }
  | { kind: "hidden"; hidden: boolean }
  /** Answered by `answer` with the records of these 0-based lines. */
  | { kind: "records"; id: number; lines: Uint32Array }
  /** Answered by `answer` with a block of the text. */
  | { kind: "block"; id: number; block: number };

/** Lines that have arrived, in order and without a gap: what there is to know of each but its text. */
export interface LogNews {
  kind: "news";
  /** 0-based line of the first. */
  first: number;
  /** Of each line, the place of its level in LEVEL_NAMES. */
  levels: Uint8Array;
  /** Of each line, the characters that are shown of it. */
  lengths: Uint16Array;
  /** All of the log's actions so far; absent when these lines tell nothing new of them. */
  actions?: readonly TimelineAction[];
  complete: boolean;
}

export type FromLogWorker =
  | LogNews
  | { kind: "trouble"; trouble: string | undefined }
  | { kind: "answer"; id: number; answer: LogPage["records"] | LogBlock | undefined };

/** Some lines of the log as JSON, one a line, in gzip's form unless they are still growing. */
export interface LogBlock {
  /** 0-based line of the first. */
  first: number;
  text: string | Uint8Array<ArrayBuffer>;
}

export interface LogQueryText {
  text: string;
  isRegex: boolean;
  isCased: boolean;
}

export interface ToSearchWorker {
  block: LogBlock;
  query: LogQueryText;
}

/** Matches of one line that are told. */
export const MOST_OF_LINE = 100;

/** Three numbers for each match: the line, and where in its text it begins and how long it is. */
export type FromSearchWorker = Uint32Array;
