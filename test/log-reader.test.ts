import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { LogChunkList, LogPage } from "#protocol/api.ts";
import { createLogReader, type LogQuery, type LogSource } from "../control-plane/log-reader.ts";

/** A place with blobs, which answers as each test wants. */
let server: Server;
let url: string;
let asked: string[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const blobs = new Map<string, Buffer>();
beforeEach(async () => {
  asked = [];
  blobs.clear();
  answer = ({ url: path }, response) => void response.end(blobs.get(path ?? ""));
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  vi.restoreAllMocks();
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
});

const line = (n: number) => ({ dt: "2026-03-01T12:00:00+00:00", lvl: "info", msg: `line ${n}` });
const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => line(from + n));
const textOf = (records: object[]) =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("");

function chunk(first_line: number, count: number, text = textOf(lines(first_line, count))) {
  const path = `/blobs/${first_line}`;
  const body = gzipSync(text);
  blobs.set(path, body);
  const method = "GET" as const;
  return { first_line, count, bytes: body.length, url: path, method, headers: { "x-chunk": "1" } };
}

function listOf(start: number, ...chunks: LogChunkList["chunks"]): LogChunkList {
  const last = chunks.at(-1);
  const next = last ? last.first_line + last.count : start;
  return { start, next, complete: true, poll_seconds: 0, chunks };
}

/** A lab whose log has a hundred lines, and which notes what it is asked. */
function lab(list: (query: LogQuery) => LogChunkList | undefined, rest: Partial<LogSource> = {}) {
  const questions: [kind: "chunks" | "page", query: LogQuery][] = [];
  const source: LogSource = {
    url,
    chunks: async (query) => (questions.push(["chunks", query]), list(query)),
    page: async (query) => {
      questions.push(["page", query]);
      const next = Math.min(query.end ?? 100, query.start + 50);
      const records = lines(query.start, next - query.start);
      return { start: query.start, next, complete: next === 100, poll_seconds: 0, records };
    },
    ...rest,
  };
  return { ...createLogReader(source), questions };
}

async function all(pages: AsyncIterable<LogPage>): Promise<LogPage[]> {
  const found: LogPage[] = [];
  for await (const page of pages) found.push(page);
  return found;
}
const recordsOf = (pages: LogPage[]) => pages.flatMap(({ records }) => records);

describe("a log", () => {
  test("is read from where its chunks are, in order, without the lines around the range", async () => {
    const list = listOf(5, chunk(0, 10), chunk(10, 10), chunk(20, 10));
    const reader = lab(() => list);
    const pages = await all(reader.read({ start: 5, end: 22 }));
    expect(pages.map(({ start, next, complete }) => [start, next, complete])).toEqual([
      [5, 10, false],
      [10, 20, false],
      [20, 22, true],
    ]);
    expect(recordsOf(pages)).toEqual(lines(5, 17));
    expect(reader.questions).toEqual([["chunks", { start: 5, end: 22 }]]);
  });

  test("without news is one empty page that says when to ask again", async () => {
    const list = { ...listOf(7), complete: false, poll_seconds: 1 };
    const page = { start: 7, next: 7, complete: false, poll_seconds: 1, records: [] };
    expect(await all(lab(() => list).read({ start: 7 }))).toEqual([page]);
  });

  test("is fetched four chunks at a time, and given in order whichever comes first", async () => {
    const chunks = Array.from({ length: 6 }, (_, n) => chunk(n, 1));
    const held: (() => void)[] = [];
    const four = new Promise<void>((resolve) => {
      answer = ({ url: path }, response) => {
        held.push(() => response.end(blobs.get(path ?? "")));
        if (held.length === 4) resolve();
        if (held.length > 4) held.at(-1)!();
      };
    });
    const reading = all(lab(() => listOf(0, ...chunks)).read({ start: 0 }));
    await four;
    expect(asked.toSorted()).toEqual(["/blobs/0", "/blobs/1", "/blobs/2", "/blobs/3"]);
    for (const release of held.toReversed()) release();
    expect(recordsOf(await reading)).toEqual(lines(0, 6));
  });

  test("is fetched no further than its reader wants it", async () => {
    const chunks = Array.from({ length: 20 }, (_, n) => chunk(n, 1));
    for await (const page of lab(() => listOf(0, ...chunks)).read({ start: 0 })) {
      if (page.next === 2) break;
    }
    expect(asked.length).toBeLessThanOrEqual(6);
  });

  test("is fetched with the headers that were signed, and with no secret of ours", async () => {
    let headers: IncomingMessage["headers"] = {};
    answer = (request, response) => {
      headers = request.headers;
      response.end(blobs.get(request.url ?? ""));
    };
    await all(lab(() => listOf(0, chunk(0, 1))).read({ start: 0 }));
    expect(headers["x-chunk"]).toBe("1");
    expect(headers.authorization).toBeUndefined();
    expect(headers.cookie).toBeUndefined();
  });

  test("keeps its line numbers when a chunk has fewer lines than it should, or lines that are none", async () => {
    const odd = chunk(0, 4, `${JSON.stringify(line(0))}\n[1]\nno json\n`);
    const records = recordsOf(await all(lab(() => listOf(0, odd, chunk(4, 1))).read({ start: 0 })));
    const damaged = { dt: line(0).dt, lvl: "error", msg: expect.stringContaining("damaged") };
    expect(records).toEqual([line(0), damaged, damaged, damaged, line(4)]);
  });
});

describe("the lab is asked for the lines themselves", () => {
  const pagesOf = async (bad: LogChunkList["chunks"][number], source: Partial<LogSource> = {}) => {
    const reader = lab(() => listOf(0, chunk(0, 10), bad, chunk(30, 10)), source);
    const pages = await all(reader.read({ start: 0 }));
    return { reader, pages };
  };
  const expectPage = ({ reader, pages }: Awaited<ReturnType<typeof pagesOf>>) => {
    expect(recordsOf(pages)).toEqual(lines(0, 60));
    expect(reader.questions.at(-1)).toEqual(["page", { start: 10 }]);
  };

  test("when a chunk is gone", async () => {
    const bad = chunk(10, 20);
    answer = ({ url: path }, response) => {
      response.statusCode = path === bad.url ? 404 : 200;
      response.end(blobs.get(path ?? ""));
    };
    expectPage(await pagesOf(bad));
  });

  test("when a chunk is longer than it should be", async () => {
    const bad = chunk(10, 20);
    expectPage(await pagesOf({ ...bad, bytes: bad.bytes - 1 }));
  });

  test("when a chunk cannot be unpacked", async () => {
    const bad = chunk(10, 20);
    blobs.set(bad.url, Buffer.from("this is not gzip"));
    expectPage(await pagesOf(bad));
  });

  test("when a chunk grows without bound", async () => {
    expectPage(await pagesOf(chunk(10, 20, "x".repeat(17 * 1024 * 1024))));
  });

  test("when a chunk is elsewhere than was signed", async () => {
    const bad = chunk(10, 20);
    answer = ({ url: path }, response) => {
      if (path !== bad.url) return void response.end(blobs.get(path ?? ""));
      response.writeHead(302, { location: "/blobs/0" }).end();
    };
    expectPage(await pagesOf(bad));
    expect(asked.filter((path) => path === "/blobs/0")).toHaveLength(1);
  });

  test("when the connection breaks", async () => {
    const bad = chunk(10, 20);
    answer = ({ url: path }, response) => {
      if (path === bad.url) return void response.destroy();
      response.end(blobs.get(path ?? ""));
    };
    expectPage(await pagesOf(bad));
  });

  test("when a chunk's address is no place for blobs", async () => {
    for (const odd of ["file:///etc/passwd", "data:text/plain,x", "http://"]) {
      expectPage(await pagesOf({ ...chunk(10, 20), url: odd }));
    }
  });

  test("when a chunk has more lines than any has", async () => {
    expectPage(await pagesOf({ ...chunk(10, 20), count: 1e9 }));
  });

  test("when chunks are less safe on their way than the lab", async () => {
    const reader = lab(() => listOf(0, { ...chunk(0, 1), url: `${url}/blobs/0` }), {
      url: "https://lab.test",
    });
    await all(reader.read({ start: 0 }));
    expect(reader.questions.at(-1)).toEqual(["page", { start: 0 }]);
    expect(asked).toEqual([]);
  });

  test("for good when it is of a version that knows no chunks", async () => {
    const reader = lab(() => undefined);
    await all(reader.read({ start: 0 }));
    await all(reader.read({ start: 50 }));
    expect(reader.questions.map(([kind]) => kind)).toEqual(["chunks", "page", "page"]);
  });
});

describe("blobs that cannot be reached", () => {
  test("are tried once more after half a minute, and then no more", async () => {
    const clock = vi.spyOn(performance, "now").mockReturnValue(0);
    answer = (_, response) => void response.destroy();
    const reader = lab(({ start }) => listOf(start, chunk(start, 10)));
    const kinds = async () => {
      reader.questions.length = 0;
      await all(reader.read({ start: 0 }));
      return reader.questions.map(([kind]) => kind);
    };
    expect(await kinds()).toEqual(["chunks", "page"]);
    clock.mockReturnValue(29_999);
    expect(await kinds()).toEqual(["page"]);
    clock.mockReturnValue(30_000);
    expect(await kinds()).toEqual(["chunks", "page"]);
    clock.mockReturnValue(1e9);
    expect(await kinds()).toEqual(["page"]);
  });

  test("are used again when that succeeds", async () => {
    const clock = vi.spyOn(performance, "now").mockReturnValue(0);
    const works = answer;
    const reader = lab(({ start }) => listOf(start, chunk(start, 10)));
    for (const now of [0, 60_000, 120_000]) {
      clock.mockReturnValue(now);
      answer = (_, response) => void response.destroy();
      await all(reader.read({ start: 0 }));
      clock.mockReturnValue(now + 30_000);
      answer = works;
      reader.questions.length = 0;
      expect(recordsOf(await all(reader.read({ start: 0 })))).toEqual(lines(0, 10));
      expect(reader.questions.map(([kind]) => kind)).toEqual(["chunks"]);
    }
  });
});

describe("a lab that does not hold answers back", () => {
  test("is not asked to hold back a page either", async () => {
    const reader = lab(({ start }) => ({ ...listOf(start, chunk(start, 10)), poll_seconds: 1 }));
    answer = (_, response) => void response.destroy();
    await all(reader.read({ start: 0, wait: 20 }));
    await all(reader.read({ start: 50, wait: 20 }));
    expect(reader.questions).toEqual([
      ["chunks", { start: 0, wait: 20 }],
      ["page", { start: 0 }],
      // The page before did not say that answers are not held back.
      ["page", { start: 50, wait: 20 }],
    ]);
  });
});

test("a reader that is told to stop throws, and asks nobody any more", async () => {
  const stop = new AbortController();
  answer = () => stop.abort(new Error("enough"));
  const reader = lab(() => listOf(0, chunk(0, 10)), { signal: stop.signal });
  await expect(all(reader.read({ start: 0 }))).rejects.toThrow("enough");
  expect(reader.questions).toHaveLength(1);
});
