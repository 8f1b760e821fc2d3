import { runningJob } from "../../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import type { FuzzTarget } from "../engine/fuzz-target.ts";
import { requireNoFault } from "./fault-of-ours.ts";

const sha256 = "0".repeat(64);
const sync = {
  protocol: 1,
  version: "1",
  runners: [{ job_id: 1, state: "running" }],
  wait_seconds: 0,
};

/** What a worker and its runners ask: the first line is method and path, the rest the body. Even lengths use the job's token. */
export const workerApi: FuzzTarget = {
  about: "requests of a worker and of a job's runner (method, path, JSON)",
  words: [
    ...["POST ", "GET ", "PUT ", "PATCH ", "DELETE ", "\n", "/worker/sync", "/worker/token"],
    ...[
      "/worker/devices",
      "/enrol",
      "/jobs/1",
      "/log-uploads",
      "/log-chunks",
      "/finish",
      "/multinode/",
    ],
    ...[
      "group",
      "send",
      "wait",
      "wait-all",
      "sync",
      "?wait=0",
      "?start=",
      "%00",
      "%2e%2e/",
      "/../",
    ],
    ...[
      '"runners":[',
      '{"job_id":',
      '"state":"finished"',
      '"upgrade":{',
      '"no_jobs":"',
      '"seen":"',
    ],
    ...[
      '"first_line":',
      '"count":',
      '"bytes":',
      '"sha256":"',
      '"results":[',
      '"events":["',
      "null",
    ],
    ...[
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "\\u0000",
      "\\ud800",
      "1e400",
      "-1",
      "__proto__",
      "true",
    ],
    ...['"result":"pass"', '"error_type":"Job"', '"error_msg":"', '"lines":', '"line":0,"msg":{'],
  ],
  seeds: () =>
    [
      ["POST /worker/sync", sync],
      [
        "POST /worker/sync",
        { ...sync, upgrade: { id: "a", version: "1", state: "failed", reason: "b" } },
      ],
      [
        "POST /worker/sync",
        { ...sync, waits: ["queue"], platform: "linux-x64", no_jobs: "full", seen: "a" },
      ],
      ["POST /worker/token", {}],
      ["GET /worker/devices", undefined],
      ["POST /jobs/1/log-uploads", { first_line: 0, bytes: 10, sha256 }],
      [
        "POST /jobs/1/log-chunks",
        {
          ...{ first_line: 0, count: 1, bytes: 0, sha256, events: ["a"] },
          results: [{ line: 0, msg: { definition: "lava", case: "job", result: "pass" } }],
        },
      ],
      ["GET /jobs/1/log-chunks?start=0&wait=0", undefined],
      ["POST /jobs/1/multinode/send", { message: "a", data: { b: "c" } }],
      ["POST /jobs/1/multinode/wait", { message: "a", wait_seconds: 0 }],
      ["POST /jobs/1/finish", { result: "fail", lines: 0, error_type: "Job", error_msg: "a" }],
      ["POST /enrol", { code: "a", name: "b" }],
    ].map(([line, body]) => `${line as string}\n${body ? JSON.stringify(body) : ""}`),
  async open() {
    let lab = await embeddedLab({}, "embedded");
    let tokens = await begin(lab);
    let asked = 0;
    return {
      async run(input) {
        // A lab in which the job has ended has less to say.
        if (++asked % 500 === 0) {
          await lab.close();
          lab = await embeddedLab({}, "embedded");
          tokens = await begin(lab);
        }
        const text = Buffer.from(input).toString("utf8");
        const [first = "", ...rest] = text.split("\n");
        const [, method = "POST", where = "/"] = /^([A-Z]{1,10}) (\/[^\s#]*)/.exec(first) ?? [];
        // Waiting is what these are made for.
        if (/wait=[^0&]/.test(where) || /"wait_seconds":\s*[^0]/.test(text)) return;
        // These the platform itself refuses.
        if (["CONNECT", "TRACE", "TRACK"].includes(method)) return;
        const token = input.length % 2 === 0 ? tokens.job : tokens.worker;
        const hasBody = method !== "GET" && method !== "HEAD" && rest.length > 0;
        const answer = await lab.request(where, {
          ...{ method, token },
          ...(hasBody ? { body: Buffer.from(rest.join("\n")).toString() } : {}),
        });
        await answer.arrayBuffer();
        await lab.settled();
        if (answer.status >= 500) requireNoFault(lab.messages);
        if (answer.status >= 500) throw new Error(`status ${answer.status} of ${first}`);
        requireNoFault(lab.messages);
      },
      close: () => lab.close(),
    };
  },
};

async function begin(lab: EmbeddedLab): Promise<{ worker: string; job: string }> {
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  return { worker, job: (await runningJob(lab, worker)).token };
}
