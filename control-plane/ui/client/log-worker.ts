import { EMPTY_TIMELINE, extendTimeline, type Timeline } from "../timeline.ts";
import { followLog, logReaderOf, readRange } from "./follow-log.ts";
import type { FromLogWorker, LogNews, ToLogWorker } from "./log-messages.ts";
import { LogStore } from "./log-store.ts";

/** Beside the job's page: reads the log, follows it, and keeps it, so that the page itself never waits. */

let store: LogStore | undefined;
let isHidden = false;
let onShown: (() => void) | undefined;

addEventListener("message", ({ data }: MessageEvent<ToLogWorker>) => {
  if (data.kind === "open") void open(data.job, data.attempt);
  else if (data.kind === "hidden") setHidden(data.hidden);
  else void answer(data);
});

async function open(job: number, attempt: number): Promise<void> {
  const reader = logReaderOf(job, attempt);
  const log = new LogStore((start, end) => readRange(reader, start, end));
  store = log;
  let timeline = EMPTY_TIMELINE;
  await followLog(reader, {
    next: () => log.next,
    async take({ records, complete }) {
      const first = log.next;
      const { levels, lengths } = await log.add(records);
      const before = timeline;
      timeline = extendTimeline(before, records);
      const news: LogNews = { kind: "news", first, levels, lengths, complete };
      if (hasChanged(before, timeline)) news.actions = timeline.actions;
      say(news, [levels.buffer, lengths.buffer]);
    },
    isReady: () => !isHidden,
    async ready() {
      if (isHidden) await new Promise<void>((resolve) => (onShown = resolve));
    },
    report: (trouble) => say({ kind: "trouble", trouble }),
  });
}

function setHidden(hidden: boolean): void {
  isHidden = hidden;
  if (!hidden) onShown?.();
}

async function answer(question: Exclude<ToLogWorker, { kind: "open" | "hidden" }>): Promise<void> {
  const { id } = question;
  const found =
    question.kind === "block" ? store?.block(question.block) : store?.records(question.lines);
  // What can't be read now may be asked for again.
  say({ kind: "answer", id, answer: await Promise.resolve(found).catch(() => undefined) });
}

const hasChanged = (before: Timeline, after: Timeline): boolean =>
  before.actions.length !== after.actions.length ||
  after.actions.some(
    ({ endLine, failed }, n) =>
      endLine !== before.actions[n]?.endLine || failed !== before.actions[n]?.failed,
  );

const say = (message: FromLogWorker, transfer: Transferable[] = []): void =>
  postMessage(message, { transfer });
