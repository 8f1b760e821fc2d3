import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browserSession, runningJob, type BrowserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

/** Ends what it may stand in, and would be an element; no page has it in this form. */
const HOSTILE = `"'></textarea></title></script><img src=x onerror=alert(1)>{{7*7}}\u202e&`;
/** The same without line ends, as a name in YAML. */
const QUOTED = JSON.stringify(HOSTILE);
const DT = "2026-03-01T12:00:00.120331+00:00";

let lab: EmbeddedLab;
let admin: BrowserSession;
let job: number;

/** A lab whose worker, board, submitter and visitors write this wherever they may write anything. */
beforeAll(async () => {
  lab = await embeddedLab();
  const put = (where: string, body: object) => lab.api(where, { method: "PUT", body });
  const worker = await lab.addWorker();
  await lab.api("/workers/bench", { method: "PATCH", body: { description: HOSTILE } });
  await lab.addDevice("qemu-01", { description: HOSTILE });
  await lab.addDevice("qemu-02", { description: HOSTILE });
  await put("/device-types/qemu", { description: HOSTILE });
  await put("/groups/team", { description: HOSTILE, members: [] });
  await put("/queries/admin/q", {
    ...{ conditions: "state__exact__Finished", description: HOSTILE, published: true },
  });
  await lab.api("/devices/qemu-02/health", { body: { health: "Bad", reason: HOSTILE } });
  const lines = [`metadata: {${QUOTED}: ${QUOTED}, url: "javascript:alert(1)"}`];
  const { id, token } = await runningJob(lab, worker, { name: QUOTED, lines });
  job = id;
  await lab.ship(id, token, 0, hostileLog());
  await lab.finish(id, token, {
    ...{ result: "fail", lines: hostileLog().length, error_type: "Job", error_msg: HOSTILE },
    evidence: { pattern: HOSTILE, line: 2 },
  });
  await lab.sync(worker, [], { version: HOSTILE.slice(0, 50), platform: "linux-x64" });
  await lab.api(`/jobs/${id}/annotations`, { body: { text: HOSTILE, cause: "lab" } });
  await lab.submit(`${(await definitionOf(id)).replace(QUOTED, `"waits ${QUOTED.slice(1)}`)}`);
  admin = await browserSession(lab);
}, 60_000);
afterAll(() => lab.close());

const definitionOf = async (id: number) => (await lab.request(`/jobs/${id}/definition`)).text();

const hostileLog = (): object[] => [
  { dt: DT, lvl: "info", msg: `start: 1 ${HOSTILE} (timeout 00:01:00)` },
  { dt: DT, lvl: "target", msg: `\u001b[31m${HOSTILE}`, ns: HOSTILE },
  { dt: HOSTILE, lvl: HOSTILE, msg: HOSTILE },
  { dt: DT, lvl: "error", msg: { [HOSTILE]: HOSTILE } },
  ...["pass", "fail"].map((result) => ({
    ...{ dt: DT, lvl: "results" },
    msg: {
      ...{ definition: HOSTILE, case: HOSTILE, result, measurement: "1.5", units: HOSTILE },
      extra: { [HOSTILE]: HOSTILE },
    },
  })),
  {
    dt: DT,
    lvl: "results",
    msg: { definition: "lava", case: HOSTILE, result: "fail", level: "1" },
  },
  { dt: DT, lvl: "info", msg: `end: 1 ${HOSTILE} (duration 00:00:01) [common]` },
];

const pages = (): string[] => {
  const of = encodeURIComponent(HOSTILE);
  const parts = ["", "/parts", "/definition", "/plan", "/device", "/similar", "/results"];
  const more = ["/metadata", "/cancel", "/suites", `/suites/${of}`, `/suites/${of}/${of}`];
  return [
    ...[...parts, ...more].map((part) => `/jobs/${job}${part}`),
    `/jobs/${job}/results?suite=${of}&text=${of}`,
    ...["/", `/?text=${of}`, `/?submitter=${of}&device=${of}&device_type=${of}`],
    ...["/devices", `/devices?text=${of}`, "/devices/qemu-01", "/devices/qemu-01/history"],
    ...["/devices/qemu-02", "/devices/qemu-02/history", "/devices/qemu-01/jobs"],
    ...[
      "/devices/qemu-01/dictionary",
      "/devices/qemu-01/configuration",
      "/devices/qemu-01/console",
    ],
    ...["/device-types", "/device-types/qemu", "/workers", "/workers/bench", "/queue"],
    ...["/queue?device_type=qemu", "/queries", "/queries/admin/q", "/queries/admin/q/edit"],
    `/queries/admin/q?case=${of}&suite=${of}&group_by=${of}`,
    ...["/queries/new", "/tests/latest", "/tests?device_type=qemu", `/tests?name=${of}`],
    `/tests?query=${of}`,
    ...[`/compare?a=${job}&b=${job}`, `/compare?before=${of}&after=${of}`, "/reports"],
    ...[`/search?q=${of}`, "/search?q=img", "/audit", `/audit?who=${of}`, `/${of}`, `/jobs/${of}`],
    ...[`/devices/${of}`, `/workers/${of}`, `/docs/${of}`, `/device-types/${of}`],
    ...[`/submit?from=${job}`, `/submit?template=${of}`, "/admin", "/admin/users", "/admin/groups"],
    ...["/admin/groups/team", `/admin/users/${of}`, "/admin/tokens", "/admin/permissions"],
    ...["/admin/notices", "/admin/releases", "/admin/settings", "/account", "/docs"],
    ...[`/sign-in?next=${of}`, `/sign-in?code=${of}`],
  ];
};

describe("what the worst of submitters, boards and visitors write", () => {
  test("is text on every page, and no page may run anything but the lab's own scripts", async () => {
    const found: Record<string, unknown> = {};
    let shown = 0;
    for (const where of pages()) {
      const answer = await admin.get(where);
      const html = await answer.text();
      const problems = problemsOf(answer, html);
      if (html.includes("&lt;img")) shown += 1;
      if (problems.length > 0) found[where] = problems;
    }
    expect(found).toEqual({});
    // Otherwise nothing would have been tried.
    expect(shown).toBeGreaterThan(30);
  }, 60_000);

  test("stays in the names of files and in files", async () => {
    const of = encodeURIComponent(`x"\r\nx-owned: 1;${HOSTILE}`);
    for (const where of [
      ...[`/jobs/${job}/suites/${of}?format=csv`, `/queries/admin/q?format=csv`],
      ...[`/tests?name=${of}&format=csv`, `/?text=${of}&format=csv`, `/reports?format=csv`],
    ]) {
      const answer = await admin.get(where);
      expect([where, answer.headers.get("x-owned")]).toEqual([where, null]);
      const name = answer.headers.get("content-disposition") ?? "";
      expect(name).toMatch(/^(attachment; filename="[\w.-]+")?$/);
      if (name !== "") expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    }
  });
});

function problemsOf(answer: Response, html: string): string[] {
  // What stands in an attribute stays there, as it has no quotation mark.
  const tags = html.replaceAll(/="[^"<>]*"/g, '=""');
  const policy = answer.headers.get("content-security-policy") ?? "";
  const isPublic = /public/.test(answer.headers.get("cache-control") ?? "public");
  return [
    ...(answer.status >= 500 ? [`status ${answer.status}`] : []),
    ...(html.includes("<img src=x") ? [around(html, "<img src=x")] : []),
    ...(/<[^>]*\son\w+=/.test(tags) ? ["an attribute that is a script"] : []),
    ...(/<[^>]*\sstyle=/.test(tags) ? ["an inline style"] : []),
    ...(/(?:href|src|action)="\s*(?:javascript|data):/i.test(html) ? ["an address that runs"] : []),
    ...(/<script(?![^>]*\ssrc="\/assets\/)/.test(html) ? ["an inline script"] : []),
    ...(/script-src 'self';/.test(policy) && !policy.includes("unsafe") ? [] : [`CSP ${policy}`]),
    ...(answer.headers.get("x-content-type-options") === "nosniff" ? [] : ["sniffed"]),
    ...(isPublic ? ["kept by others"] : []),
  ];
}

const around = (html: string, what: string): string =>
  html.slice(Math.max(0, html.indexOf(what) - 100), html.indexOf(what) + 40);
