import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isLavaPath } from "../../control-plane/lava/lava-path.ts";
import { accessLab, type AccessLab } from "../support/access-lab.ts";
import type { EmbeddedLab } from "../support/embedded-lab.ts";
import { isOnAws } from "../support/test-engine.ts";
import {
  ABOUT,
  CLASSES,
  ELSEWHERE,
  expected,
  KINDS,
  ROWS,
  type Kind,
  type Row,
} from "./access-matrix.ts";
import { lacking } from "../support/lacking.ts";

let lab: EmbeddedLab;
let headers: AccessLab["headers"];

beforeAll(async () => {
  ({ lab, headers } = await accessLab());
});
afterAll(() => lab.close());

async function ask({ method, path: where, body }: Row, kind: Kind): Promise<number> {
  const init = {
    method,
    headers: headers[kind],
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  };
  const answer = await lab.app.request(where, init);
  await answer.arrayBuffer();
  await lab.settled();
  return answer.status;
}

describe("each kind of principal is answered as the table says", () => {
  test.each(ROWS.map((row) => [`${row.method} ${row.path}`, row.class, row] as const))(
    "%s: %s",
    async (_name, _class, row) => {
      const [wanted, found] = [{} as Record<string, unknown>, {} as Record<string, unknown>];
      // Those who may come last: they may change what the others are asked about.
      const order = KINDS.toSorted(
        (a, b) => Number(expected(row, a) === 0) - Number(expected(row, b) === 0),
      );
      for (const kind of order) {
        const status = await ask(row, kind);
        const statuses = [row.status].flat();
        const isAnswer = expected(row, kind) === 0 && statuses.includes(status);
        wanted[kind] =
          expected(row, kind) === 0 ? `answered ${statuses.join(" or ")}` : expected(row, kind);
        found[kind] = isAnswer ? wanted[kind] : status;
      }
      expect(found).toEqual(wanted);
    },
  );
});

/** `/jobs/1/log` is the path of `/jobs/:id/log`, `/a.csv` that of `/:file{[a-z.]+}`. */
const isOf = (pattern: string, where: string): boolean =>
  new RegExp(
    `^${pattern.replace(/:\w+(?:\{([^}]*)\})?/g, (_whole, shape: string = "[^/]+") => shape)}$`,
  ).test(where);

test("the table has every route, and no other", () => {
  const served = lab.app.routes.filter(({ method }) => method !== "ALL" && method !== "OPTIONS");
  // Signed addresses stand for themselves; there is one such route per engine. LAVA's surfaces have tests of their own.
  const own = served.filter(({ path: route }) => !isLavaPath(route));
  const routes = [...new Set(own.map(({ method, path: route }) => `${method} ${route}`))].filter(
    (route) => !/^\w+ \/blobs\//.test(route) && !ELSEWHERE.includes(route),
  );
  const literal = (route: string) => (route.match(/:/g) ?? []).length;
  const routeOf = ({ method, path: where }: Row) => {
    const fitting = routes.filter((route) => {
      const [verb = "", pattern = ""] = route.split(" ");
      return verb === method && isOf(pattern, where.replace(/\?.*/, ""));
    });
    return fitting.toSorted((a, b) => literal(a) - literal(b))[0];
  };
  const covered = new Set(ROWS.map(routeOf));
  expect(routes.filter((route) => !covered.has(route))).toEqual([]);
  expect(ROWS.filter((row) => routeOf(row) === undefined)).toEqual([]);
});

test.skipIf(lacking(isOnAws, "only the embedded engine has this"))(
  "docs/access.md is the table",
  () => {
    const file = path.resolve(import.meta.dirname, "../../docs/access.md");
    if (process.env["PUMICE_WRITE_DOCS"]) writeFileSync(file, asPage());
    expect(existsSync(file) && readFileSync(file, "utf8")).toBe(asPage());
  },
);

function asPage(): string {
  const cell = (row: Row, kind: Kind) =>
    ({ 0: "✓", 400: "?", 401: "", 403: "–", 404: "?" })[expected(row, kind)];
  const shown = KINDS.filter((kind) => !["inactive", "expired"].includes(kind));
  return [
    "# Who may use which route",
    "",
    "Made from the table that the tests ask each route by (`test/http/access-matrix.ts`); `PUMICE_WRITE_DOCS=1` with `test/http/access.test.ts` writes it.",
    "What the permissions mean is in [people](people.md).",
    "",
    "✓ may, – is refused (403), ? is told that there is no such thing (404 or 400), empty: has to sign in (401). A deactivated user and an expired token are",
    "answered as nobody is. The lab of the table has the closed rule; its jobs, devices and people are described there.",
    "",
    ...shown.map((kind, n) => `${n + 1}. **${kind}**: ${ABOUT[kind]}`),
    "",
    `| Route | Who may | ${shown.map((_kind, n) => n + 1).join(" | ")} |`,
    `| --- | --- |${" --- |".repeat(shown.length)}`,
    ...ROWS.map(
      (row) =>
        `| \`${row.method} ${row.path}\` | ${CLASSES[row.class].about} | ${shown.map((kind) => cell(row, kind)).join(" | ")} |`,
    ),
    "",
  ].join("\n");
}
