import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lavaApp } from "../../control-plane/lava/lava-app.ts";
import { REST_ROWS } from "../compat/rows/rest.ts";
import { WEB_URLS_ROWS } from "../compat/rows/web-urls.ts";
import { PAGES } from "../../control-plane/lava/web-urls/bookmarks.ts";
import { KINDS, UNKNOWN, type Kind } from "../http/access-matrix.ts";
import { accessLab, type AccessLab } from "../support/access-lab.ts";
import { aJob } from "../support/builders.ts";

/*
 * Who may use each route of LAVA's REST API and web addresses: every route as every kind of principal, cell by cell. The lab, its
 * people and things are those of test/http/access-matrix.ts: job 1 is public, job 2 for group team; both run on devices of type
 * qemu, which grants view to viewers, submit to submitters and change to changers.
 */

let lab: AccessLab;
beforeAll(async () => {
  lab = await accessLab();
});
afterAll(() => lab.close());

const MACHINES: readonly Kind[] = ["worker", "other worker", "job", "other job"];
const NOBODY: readonly Kind[] = [...UNKNOWN, ...MACHINES];
const PEOPLE: readonly Kind[] = KINDS.filter((kind) => !NOBODY.includes(kind));
const ADMIN: Kind[] = ["admin", "admin's session"];
const READ: Kind[] = [...ADMIN, "admin's read token"];
const OWNER: Kind[] = ["owner", "owner's session"];
const ON_TYPE: Kind[] = ["viewer", "submitter", "changer", ...OWNER, "overseer", ...READ];
const ON_TEAM: Kind[] = [...OWNER, "member", ...READ];
const ON_LAB: Kind[] = ["overseer", ...READ];
const CHANGERS: Kind[] = ["changer", ...ADMIN];
const SUBMITTERS: Kind[] = ["submitter", "changer", ...OWNER, ...ADMIN];
const CANCELERS: Kind[] = [...OWNER, "changer", ...ADMIN];

interface Row {
  readonly route: string;
  /** What stands for the parameters of the route, in their order. */
  readonly at?: readonly string[];
  readonly may: readonly Kind[];
  readonly status: number | readonly number[];
  readonly body?: object;
}
const row = (
  route: string,
  may: readonly Kind[],
  status: Row["status"],
  at: readonly string[] = [],
  body?: object,
): Row => ({ route, may, status, at, ...(body === undefined ? {} : { body }) });
const API = "/api/v0.2";
const api = (route: string, ...rest: [readonly Kind[], Row["status"], string[]?, object?]) =>
  row(route.replace(" ", ` ${API}`), ...rest);

const definition = aJob();
const ROWS: readonly Row[] = [
  api("GET /", PEOPLE, 200),
  api("GET /system/", PEOPLE, 200),
  api("GET /jobs/", PEOPLE, 200),
  api("GET /jobs/:id/", ON_TYPE, 200, ["1"]),
  api("GET /jobs/:id/", ON_TEAM, 200, ["2"]),
  api("POST /jobs/validate/", PEOPLE, 200, [], { definition }),
  api("POST /jobs/validate_testdef/", PEOPLE, 200, [], { definition: "a: b" }),
  api("GET /jobs/:id/suites/", ON_TYPE, 200, ["1"]),
  api("GET /jobs/:id/suites/", ON_TEAM, 200, ["2"]),
  api("GET /jobs/:id/tests/", ON_TYPE, 200, ["1"]),
  api("GET /jobs/:id/tests/", ON_TEAM, 200, ["2"]),
  // Nothing has been tested or logged: who may see the job is told so in the same words as the others.
  api("GET /jobs/:id/tests/:test/", [], 404, ["1", "x"]),
  api("GET /jobs/:id/suites/:suite/", [], 404, ["1", "x"]),
  api("GET /jobs/:id/suites/:suite/tests/", [], 404, ["1", "x"]),
  api("GET /jobs/:id/suites/:suite/tests/:test/", [], 404, ["1", "x", "y"]),
  api("GET /jobs/:id/suites/:suite/csv/", [], 404, ["1", "x"]),
  api("GET /jobs/:id/suites/:suite/yaml/", [], 404, ["1", "x"]),
  api("GET /jobs/:id/logs/", [], 404, ["1"]),
  ...["junit", "tap13", "csv", "yaml", "metadata"].flatMap((file) => [
    api(`GET /jobs/:id/${file}/`, ON_TYPE, 200, ["1"]),
    api(`GET /jobs/:id/${file}/`, ON_TEAM, 200, ["2"]),
  ]),

  api("GET /devices/", PEOPLE, 200),
  api("GET /devices/:hostname/", ON_TYPE, 200, ["qemu-01"]),
  api("GET /devices/:hostname/dictionary/", ON_TYPE, 200, ["qemu-01"]),
  api("POST /devices/validate/", PEOPLE, 200, [], { dictionary: "{% extends 'qemu.jinja2' %}" }),
  api("PATCH /devices/:hostname/", CHANGERS, 200, ["qemu-01"], { description: "d" }),
  api("PUT /devices/:hostname/", CHANGERS, 200, ["qemu-01"], {
    device_type: "qemu",
    health: "Good",
  }),
  api("POST /devices/:hostname/set_health/", CHANGERS, 202, ["qemu-02"], { health: "Good" }),
  api("POST /devices/:hostname/dictionary/", CHANGERS, 200, ["qemu-02"], {
    dictionary: "{% extends 'qemu.jinja2' %}",
  }),
  api("POST /devices/", ADMIN, [201, 400], [], {
    hostname: "qemu-09",
    device_type: "qemu",
    health: "Maintenance",
    worker_host: "bench",
  }),
  api("DELETE /devices/:hostname/", ADMIN, [204, 404], ["qemu-09"]),

  api("GET /devicetypes/", PEOPLE, 200),
  api("GET /devicetypes/:name/", ON_TYPE, 200, ["qemu"]),
  api("GET /devicetypes/:name/template/", ON_TYPE, 200, ["qemu"]),
  api("GET /devicetypes/:name/health_check/", ON_LAB, 400, ["qemu"]),
  api("PATCH /devicetypes/:name/", CHANGERS, 200, ["qemu"], { description: "d" }),
  api("PUT /devicetypes/:name/", CHANGERS, 200, ["qemu"], { description: "d" }),
  api("POST /devicetypes/", ADMIN, [201, 400], [], { name: "new" }),
  api("POST /devicetypes/:name/template/", ADMIN, 204, ["new"], { template: "{# x #}" }),
  api("POST /devicetypes/:name/health_check/", ADMIN, 204, ["new"], { config: definition }),
  api("DELETE /devicetypes/:name/", ADMIN, [204, 404], ["new"]),

  api("GET /workers/", PEOPLE, 200),
  api("GET /workers/:hostname/", ON_TYPE, 200, ["bench"]),
  api("PATCH /workers/:hostname/", CHANGERS, 200, ["bench"], { description: "d" }),
  api("PUT /workers/:hostname/", CHANGERS, 200, ["bench"], { description: "d" }),
  ...[
    ["config", "config", "a: b\n"],
    ["env", "env", "overrides: {A: b}\n"],
    ["env_dut", "env", "overrides: {A: b}\n"],
  ].flatMap(([path, field, text]) => [
    api(`POST /workers/:hostname/${path}/`, CHANGERS, 200, ["bench"], { [field!]: text }),
    api(`GET /workers/:hostname/${path}/`, ["changer", ...READ], 200, ["bench"]),
  ]),
  api("POST /workers/", ADMIN, [201, 400], [], { hostname: "w9" }),
  api("DELETE /workers/:hostname/", ADMIN, [204, 404], ["w9"]),

  api("GET /tags/", PEOPLE, 200),
  api("POST /tags/", ADMIN, [201, 400], [], { name: "usb" }),
  api("GET /tags/:tag/", PEOPLE, 200, ["usb"]),
  api("PATCH /tags/:tag/", ADMIN, 200, ["usb"], { description: "d" }),
  api("PUT /tags/:tag/", ADMIN, 200, ["usb"], { description: "d" }),
  api("DELETE /tags/:tag/", ADMIN, [204, 404], ["usb"]),
  api("GET /aliases/", PEOPLE, 200),
  api("POST /aliases/", ADMIN, [201, 400], [], { name: "box", device_type: "qemu" }),
  api("GET /aliases/:name/", ON_TYPE, 200, ["box"]),
  api("PATCH /aliases/:name/", ADMIN, 200, ["box"], { device_type: "qemu" }),
  api("PUT /aliases/:name/", ADMIN, 200, ["box"], { device_type: "qemu" }),
  api("DELETE /aliases/:name/", ADMIN, [204, 404], ["box"]),

  ...["device", "devicetype"].flatMap((kind) => [
    api(`GET /permissions/${kind}s/`, READ, 200),
    api(`POST /permissions/${kind}s/`, ADMIN, [201, 400], [], {
      group: "viewers",
      permission: `view_${kind}`,
      [kind]: kind === "device" ? "qemu-02" : "qemu",
    }),
    api(`GET /permissions/${kind}s/:number/`, [], 404, ["1"]),
    ...["PUT", "PATCH", "DELETE"].map((method) =>
      api(`${method} /permissions/${kind}s/:number/`, [], 404, ["1"]),
    ),
  ]),
  api("GET /users/", READ, 200),
  api("POST /users/", ADMIN, [201, 400], [], { username: "newcomer" }),
  api("GET /users/:name/", [...OWNER, ...READ], 200, ["owner"]),
  api("GET /groups/", PEOPLE, 200),
  api("POST /groups/", ADMIN, [201, 400], [], { name: "newcomers" }),
  api("GET /groups/:name/", ["member", ...READ], 200, ["team"]),
  api("GET /remote-artifact-tokens/", PEOPLE, 200),
  api("POST /remote-artifact-tokens/", [...writers()], 201, [], { name: "t", token: "x" }),
  api("DELETE /remote-artifact-tokens/:secret/", [...writers()], [204, 404], ["t"]),

  row("GET /scheduler/job/:id/definition/plain", ON_TYPE, 200, ["1"]),
  row("GET /scheduler/job/:id/definition/plain", ON_TEAM, 200, ["2"]),
  row("GET /scheduler/job/:id/multinode_definition/plain", [], 404, ["1"]),
  row("GET /scheduler/job/:id/log_file/plain", ON_TYPE, 200, ["1"]),
  row("GET /scheduler/job/:id/log_file/plain", ON_TEAM, 200, ["2"]),
  row("GET /scheduler/job/:id/log_pipeline_incremental", ON_TYPE, 200, ["1"]),
  row("GET /scheduler/job/:id/job_status", ON_TEAM, 200, ["2"]),
  row("GET /scheduler/device/:hostname/devicedict/plain", ON_TYPE, 200, ["qemu-01"]),
  row("GET /results/testcase/:case", ON_TYPE, 302, ["100000001"]),
  ...["csv", "yaml", "junit"].flatMap((file) => [
    row(`GET /results/:id/${file}`, ON_TYPE, 200, ["1"]),
    row(`GET /results/:id/${file}`, ON_TEAM, 200, ["2"]),
    row(`GET /results/:id/:suite/${file}`, [], 404, ["1", "x"]),
  ]),

  // Last: they end what the others are asked about.
  api("POST /jobs/", SUBMITTERS, 201, [], { definition }),
  api("POST /jobs/:id/resubmit/", SUBMITTERS, 201, ["1"]),
  api("PATCH /jobs/:id/", CANCELERS, [200, 409], ["1"], { priority: 50 }),
  api("PUT /jobs/:id/", CANCELERS, 200, ["1"], { definition }),
  api("DELETE /jobs/:id/", ADMIN, [409, 404], ["1"]),
  api("GET /jobs/:id/cancel/", ["owner", "changer", "admin"], 200, ["1"]),
  api("POST /jobs/:id/cancel/", CANCELERS, 200, ["2"]),
  api("POST /jobs/batch-cancel/", [...writers()], 200, [], { job_ids: ["1"] }),
  api("POST /jobs/batch_cancel/", [...writers()], 200, [], { job_ids: ["1"] }),
];

/** Who is signed in, with a token for changes. */
function writers(): Kind[] {
  return PEOPLE.filter((kind) => kind !== "admin's read token");
}

/** These are about nobody: who asks is told the same. */
const OPEN = [
  "GET /api/v0.2/system/version/",
  "GET /api/v0.2/system/whoami/",
  "GET /api/v0.2/system/master_config/",
  "POST /api/v0.2/token/",
];

async function ask({ route, at = [], body }: Row, kind: Kind): Promise<number> {
  const [method = "", pattern = ""] = route.split(" ");
  const left = [...at];
  const where = pattern.replace(/:\w+(\{[^}]*\})?/g, () => left.shift() ?? "");
  const answer = await lab.lab.app.request(where, {
    method,
    headers: { ...lab.headers[kind], ...(body ? { "content-type": "application/json" } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  await answer.arrayBuffer();
  await lab.lab.settled();
  return answer.status;
}

/** What those are answered who may not: LAVA's REST API knows no 401. */
function refusals({ route, status, may }: Row, kind: Kind): readonly number[] {
  const isRest = route.includes(API);
  if (UNKNOWN.some((one) => one === kind)) return [isRest ? 403 : 401];
  if (MACHINES.includes(kind)) return [403];
  // Hidden (404), refused (403), or the body names what is not there for them (400).
  const names = /^POST .*\/(jobs|devices|devicetypes|resubmit)\/$/.test(route);
  const others = names && !kind.includes("read token") ? [400] : [];
  return [403, 404, ...others, ...(may.length === 0 ? [status].flat() : [])];
}

describe("each kind of principal is answered as the table says", () => {
  test.each(ROWS.map((one) => [`${one.route} ${(one.at ?? []).join(" ")}`, one] as const))(
    "%s",
    async (_name, one) => {
      const wrong: Record<string, string> = {};
      // Those who may come last: they may change what the others are asked about.
      const order = KINDS.toSorted(
        (a, b) => Number(one.may.includes(a)) - Number(one.may.includes(b)),
      );
      for (const kind of order) {
        const found = await ask(one, kind);
        const wanted = one.may.includes(kind) ? [one.status].flat() : refusals(one, kind);
        if (!wanted.includes(found)) wrong[kind] = `${found}, not ${wanted.join(" or ")}`;
      }
      expect(wrong).toEqual({});
    },
  );
});

test("what is about nobody is answered to all but those whose token is not valid", async () => {
  for (const route of OPEN.slice(0, 3)) {
    const [, where = ""] = route.split(" ");
    for (const kind of KINDS.filter((one) => !MACHINES.includes(one))) {
      const isKnown = !where.includes("whoami") || !["inactive", "expired"].includes(kind);
      expect(await ask({ route, may: [], status: 0 }, kind), `${where} ${kind}`).toBe(
        isKnown ? 200 : 403,
      );
    }
  }
});

test("the table has every route, and no other", () => {
  const served = lavaApp(lab.lab.deps).routes.filter(
    ({ method, path }) =>
      method !== "ALL" && /^\/(api\/v0|scheduler|results)/.test(path) && !isElsewhere(path),
  );
  const routes = new Set(served.map(({ method, path }) => `${method} ${path}`));
  const asked = new Set([...ROWS.map(({ route }) => route), ...OPEN]);
  expect([...routes].filter((route) => !asked.has(route) && !isBookmark(route))).toEqual([]);
  expect([...asked].filter((route) => !routes.has(route))).toEqual([]);
  // docs/compatibility.md has them all, too.
  const told = new Set([
    ...REST_ROWS.map(({ name }) => name.replace(" ", ` ${API}`)),
    ...WEB_URLS_ROWS.map(({ name }) => name),
  ]);
  expect([...routes].filter((route) => !told.has(route))).toEqual([]);
});

/** Stock workers have tests of their own. */
const isElsewhere = (path: string): boolean => path.startsWith("/scheduler/internal/");
/** They lead to our pages, which ask who it is: web-urls.test.ts. */
const isBookmark = (route: string): boolean => BOOKMARKS.some((one) => `GET ${one}` === route);
const BOOKMARKS = PAGES.map(([from]) => from);
