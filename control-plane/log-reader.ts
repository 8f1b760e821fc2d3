import type { LogChunkList, LogPage } from "#protocol/api.ts";
import {
  MAX_CHUNK_BYTES,
  MAX_CHUNK_RECORDS,
  MAX_CHUNK_TEXT_BYTES,
  readLogLine,
} from "#protocol/log-chunk.ts";

/** Chunks that are fetched at a time: a watched job has many small ones, and each is a round trip. */
const AT_A_TIME = 4;
const FETCH_MS = 60_000;
/** After a failure the lab is asked for so long; after a second one in a row, for good. */
const RETRY_MS = 30_000;

export interface LogQuery {
  /** 0-based line. */
  start: number;
  /** Line after the last; the end of the log when not given. */
  end?: number;
  /** Seconds that the lab may hold the answer back until there is something new. */
  wait?: number;
}

/** How a reader asks the lab. */
export interface LogSource {
  /** The lab's own address. */
  readonly url: string;
  /** Ends fetching; what was being read then throws. */
  readonly signal?: AbortSignal;
  /** `/jobs/ID/log-chunks`; undefined when the lab is of a version that has none. */
  chunks(query: LogQuery): Promise<LogChunkList | undefined>;
  /** `/jobs/ID/log` as JSON. */
  page(query: LogQuery): Promise<LogPage>;
}

export interface LogReader {
  /**
   * Asks the lab once and gives what it has, in order and without a gap: one page at least, which is empty when there
   * is nothing new. The last one has `complete`, and `poll_seconds` to pause before the next question. Throws what the
   * source throws.
   */
  read(query: LogQuery): AsyncGenerator<LogPage, void>;
}

type Chunk = LogChunkList["chunks"][number];
type Records = LogPage["records"];

/**
 * Reads one job's log, the same for browsers and the command line: the chunks from where the blobs are, which costs the
 * lab nothing, or page by page from the lab while they can't be reached.
 */
export function createLogReader(source: LogSource): LogReader {
  const lab = { failures: 0, askUntil: 0, holdsBack: true };

  async function* read(query: LogQuery): AsyncGenerator<LogPage, void> {
    if (performance.now() >= lab.askUntil) {
      const list = await source.chunks(query);
      if (list) return yield* readChunks(list, query.end);
      lab.askUntil = Infinity;
    }
    yield await readPage(query);
  }

  async function readPage({ wait = 0, ...range }: LogQuery): Promise<LogPage> {
    const page = await source.page(lab.holdsBack && wait > 0 ? { ...range, wait } : range);
    lab.holdsBack = !page.poll_seconds;
    return page;
  }

  async function* readChunks(list: LogChunkList, end = Infinity): AsyncGenerator<LogPage, void> {
    const { chunks, complete, poll_seconds } = list;
    lab.holdsBack = poll_seconds === 0;
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, ...(source.signal ? [source.signal] : [])]);
    const fetches: Promise<string | undefined>[] = [];
    const fetchNext = () => {
      const chunk = chunks[fetches.length];
      if (chunk) fetches.push(fetchText(chunk, source.url, signal).catch(() => undefined));
    };
    for (let n = 0; n < AT_A_TIME; n++) fetchNext();
    try {
      let start = list.start;
      for (const [n, chunk] of chunks.entries()) {
        const text = await fetches[n];
        source.signal?.throwIfAborted();
        if (text === undefined) {
          lab.failures += 1;
          lab.askUntil = lab.failures > 1 ? Infinity : performance.now() + RETRY_MS;
          return yield await readPage({ start, ...(end === Infinity ? {} : { end }) });
        }
        lab.failures = 0;
        fetchNext();
        const next = Math.min(end, chunk.first_line + chunk.count);
        const records = recordsOf(text, start - chunk.first_line, next - chunk.first_line);
        const isLast = n === chunks.length - 1;
        yield isLast
          ? { start, next, complete, poll_seconds, records }
          : { start, next, complete: false, poll_seconds: 0, records };
        start = next;
      }
      if (chunks.length === 0) yield { start, next: start, complete, poll_seconds, records: [] };
    } finally {
      stop.abort();
    }
  }

  return { read };
}

function recordsOf(text: string, from: number, to: number): Records {
  const lines = text.split("\n");
  const records: Records = [];
  let time = "";
  for (let n = from; n < to; n++) {
    const record = readLogLine(lines[n], time);
    if (typeof record["dt"] === "string") time = record["dt"];
    records.push(record);
  }
  return records;
}

/** The chunk's text. Throws when it can't be fetched, or is not what the lab said. */
async function fetchText(chunk: Chunk, labUrl: string, signal: AbortSignal): Promise<string> {
  const { url, method, headers, count, bytes } = chunk;
  const where = new URL(url, labUrl);
  const schemes = labUrl.startsWith("http:") ? ["http:", "https:"] : ["https:"];
  if (
    !schemes.includes(where.protocol) ||
    !(count <= MAX_CHUNK_RECORDS) ||
    !(bytes <= MAX_CHUNK_BYTES)
  ) {
    throw new Error("not a chunk of a log");
  }
  const answer = await fetch(where, {
    method,
    headers,
    signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)]),
    // The address is all that is needed; and one that leads elsewhere is not what the lab signed.
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
    // Its address is another the next time.
    cache: "no-store",
  });
  if (!answer.ok || !answer.body) throw new Error(`status ${answer.status}`);
  const packed = await readAtMost(answer.body, bytes);
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new TextDecoder().decode(await readAtMost(unpacked, MAX_CHUNK_TEXT_BYTES));
}

async function readAtMost(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > maxBytes) {
      await reader.cancel();
      throw new Error(`more than ${maxBytes} bytes`);
    }
    parts.push(value);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
