import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { logText } from "../../../control-plane/cli/log-text.ts";
import { lineHtml } from "../../../control-plane/ui/log-html.ts";
import { readLogLine } from "#protocol/log-chunk.ts";
import { browserSession, runningJob, type BrowserSession } from "../../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import type { FuzzTarget } from "../engine/fuzz-target.ts";
import { requireNoFault } from "./fault-of-ours.ts";

const dt = "2026-03-01T12:00:00.000000+00:00";
const record = (lvl: string, msg: unknown, more: object = {}): string =>
  `${JSON.stringify({ dt, lvl, msg, ...more })}\n`;

/** A chunk of a log as a worker uploads it: what isn't gzip is packed first, so that both are tried. */
export const logChunks: FuzzTarget = {
  about: "chunks of a log, and all who read it: API, page, text, YAML, command line",
  words: [
    ...['{"dt":"', '"lvl":"', '"msg":', '"results"', '"target"', '"ns":"', '"definition":"lava"'],
    ...[
      '"case":"',
      '"result":"fail"',
      '"level":"1.2"',
      '"extra":{',
      "\n",
      "\\n",
      "\\u0000",
      "\\ud800",
    ],
    ...["\\u001b[31m", "\\u001b]8;;http://a\\u0007", "\\u009b2J", "<script>", "</td>", "\\u202e"],
    ...[
      "start: 1 a (timeout 00:01:00)",
      "end: 1 a (duration 00:00:01) [common]",
      "__proto__",
      "null",
    ],
    ...["{", "}", "[", "]", ",", ":", '"', "1e400", Buffer.from([0x1f, 0x8b, 8, 0]), "\xff"],
  ],
  seeds: () => [
    record("info", "start: 1 boot (timeout 00:01:00)") + record("target", "\u001b[31mred\u001b[0m"),
    record("results", {
      definition: "lava",
      case: "a",
      result: "pass",
      level: "1",
      extra: { b: [1] },
    }),
    record("error", { a: "b" }) +
      record("feedback", "c", { ns: "d" }) +
      record("info", "end: 1 boot (duration 00:00:01) [common]"),
    gzipSync(record("target", "packed".repeat(300))),
  ],
  async open() {
    let lab: EmbeddedLab | undefined;
    let at = { id: 0, token: "", line: 0 };
    let browser: BrowserSession;
    const begin = async (): Promise<EmbeddedLab> => {
      await lab?.close();
      const fresh = await embeddedLab({}, "embedded");
      const worker = await fresh.addWorker();
      await fresh.addDevice("qemu-01");
      const { id, token } = await runningJob(fresh, worker);
      at = { id, token, line: 0 };
      browser = await browserSession(fresh);
      return fresh;
    };
    return {
      async run(input) {
        // A short log: all of it is read each time.
        if (!lab || at.line > 60) lab = await begin();
        const packed = input[0] === 0x1f && input[1] === 0x8b;
        const bytes = packed ? Buffer.from(input) : gzipSync(input);
        const text = packed ? unpacked(bytes) : Buffer.from(input).toString();
        await ship(lab, at, bytes, Math.min(50, Math.max(1, text.split("\n").length - 1)));
        const { id } = at;
        // Each is a whole page: two of them a time.
        const places = [
          ...["json", "ndjson", "yaml", "text"].map(
            (one) => `/api/v1/jobs/${id}/log?format=${one}`,
          ),
          ...["", "/results", "/log"].map((part) => `/jobs/${id}${part}`),
          `/api/v0.2/jobs/${id}/logs/`,
        ];
        for (const where of places.filter((_, n) => n % 4 === input.length % 4)) {
          const answer = await browser.get(where);
          await answer.arrayBuffer();
          if (answer.status >= 500) requireNoFault(lab.messages);
        }
        requireNoFault(lab.messages);
        for (const line of text.split("\n").slice(0, 50)) show(line);
      },
      close: () => lab?.close(),
    };
  },
};

/** What a page and a terminal show of one line has nothing that acts on them. */
function show(line: string): void {
  const found = readLogLine(line, dt) as Parameters<typeof lineHtml>[0];
  const html = lineHtml(found, 1);
  if (/<script|<img|\son\w+=/i.test(html)) throw new Error("a line of the log is an element");
  const shown = logText({ colours: false } as unknown as Parameters<typeof logText>[0], found);
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(shown))
    throw new Error("a line of the log acts on a terminal");
}

function unpacked(bytes: Buffer): string {
  try {
    return gunzipSync(bytes, { maxOutputLength: 1024 * 1024 }).toString();
  } catch {
    return "";
  }
}

async function ship(
  lab: EmbeddedLab,
  at: { id: number; token: string; line: number },
  bytes: Buffer,
  count: number,
): Promise<void> {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const commit = { first_line: at.line, bytes: bytes.length, sha256 };
  const { url, method, headers } = await lab.api<{
    url: string;
    method: string;
    headers: Record<string, string>;
  }>(`/jobs/${at.id}/log-uploads`, { token: at.token, body: commit });
  await lab.request(url, { token: null, method, headers, body: bytes });
  const body = { ...commit, count, results: [] };
  const { next_line } = await lab.api<{ next_line: number }>(`/jobs/${at.id}/log-chunks`, {
    token: at.token,
    body,
  });
  at.line = next_line;
}
