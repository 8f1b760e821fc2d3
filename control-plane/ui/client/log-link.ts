import type { LogRecords } from "../log-html.ts";
import type { FromLogWorker, LogBlock, LogNews, ToLogWorker } from "./log-messages.ts";

export interface LogHooks {
  onNews(news: LogNews): void;
  /** What is going on: undefined when all is well. */
  onTrouble(trouble: string | undefined): void;
}

/** The log that log-worker.ts reads and keeps. */
export interface LogLink {
  /** The records of these lines; undefined when they can't be had now. */
  records: (lines: Uint32Array) => Promise<LogRecords | undefined>;
  /** A block of the text, by its number; undefined when there is none yet. */
  block: (block: number) => Promise<LogBlock | undefined>;
}

/** Has the script at `url` read the log of a job's attempt. */
export function openLog(url: string, job: number, attempt: number, hooks: LogHooks): LogLink {
  const worker = new Worker(url, { type: "module" });
  const waiting = new Map<number, (answer: never) => void>();
  let last = 0;
  const tell = (message: ToLogWorker): void => worker.postMessage(message);
  const ask = <T>(question: (id: number) => ToLogWorker): Promise<T | undefined> =>
    new Promise((resolve) => {
      const id = ++last;
      waiting.set(id, resolve as (answer: never) => void);
      tell(question(id));
    });

  worker.addEventListener("message", ({ data }: MessageEvent<FromLogWorker>) => {
    if (data.kind === "news") hooks.onNews(data);
    else if (data.kind === "trouble") hooks.onTrouble(data.trouble);
    else {
      waiting.get(data.id)?.(data.answer as never);
      waiting.delete(data.id);
    }
  });
  worker.addEventListener("error", () =>
    hooks.onTrouble("The log cannot be shown: reload the page"),
  );
  document.addEventListener("visibilitychange", () =>
    tell({ kind: "hidden", hidden: document.hidden }),
  );
  tell({ kind: "hidden", hidden: document.hidden });
  tell({ kind: "open", job, attempt });

  return {
    records: (lines) => ask((id) => ({ kind: "records", id, lines })),
    block: (block) => ask((id) => ({ kind: "block", id, block })),
  };
}
