import type * as v from "valibot";
import type { EmbeddedLab } from "../support/embedded-lab.ts";
import type { AccessLab } from "../support/access-lab.ts";
import { CLASSES, expected, KINDS, ROWS, type Row } from "../http/access-matrix.ts";

/** What a route looked at of a request. */
export interface Look {
  readonly what: "query" | "headers" | "json" | "text" | "bytes";
  readonly schema?: v.GenericSchema;
}

export interface RecordedRoute {
  /** `GET /jobs/:id`, without `/api/v1`. */
  readonly name: string;
  readonly looks: readonly Look[];
  /** Who may use it, in words. */
  readonly who: ReadonlySet<string>;
  readonly answers: readonly { status: number; type: string; body: unknown }[];
}

const PREFIX = "/api/v1";

/** The routes of the API as the router has them. */
export const routesOf = (lab: EmbeddedLab): string[] => [
  ...new Set(
    lab.app.routes
      .filter(({ method, path }) => !["ALL", "OPTIONS"].includes(method) && isApi(path))
      .map(({ method, path }) => `${method} ${path.slice(PREFIX.length)}`),
  ),
];
const isApi = (path: string) => path.startsWith(`${PREFIX}/`);

/**
 * Asks each route of the access matrix as one of those who may, and notes by what it checked the request and what it answered.
 * `looks` is filled by the caller's wrapper of read-body.ts.
 */
export async function recordRoutes(
  { lab, headers }: Pick<AccessLab, "lab" | "headers">,
  looks: Look[],
): Promise<Map<string, RecordedRoute>> {
  const routes = routesOf(lab);
  const recorded = new Map<string, RecordedRoute>();
  for (const row of ROWS.filter(({ path }) => isApi(path))) {
    const name = routeOf(routes, row);
    const kind = KINDS.find((one) => expected(row, one) === 0);
    if (name === undefined || kind === undefined) continue;
    looks.length = 0;
    const answer = await lab.app.request(row.path, {
      method: row.method,
      headers: headers[kind],
      ...(row.body === undefined
        ? {}
        : { body: typeof row.body === "string" ? row.body : JSON.stringify(row.body) }),
    });
    const text = await answer.text();
    await lab.settled();
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
    const body: unknown = type === "application/json" ? JSON.parse(text) : text;
    const before = recorded.get(name);
    recorded.set(name, {
      name,
      looks: [...(before?.looks ?? []), ...looks],
      who: new Set([...(before?.who ?? []), CLASSES[row.class].about]),
      answers: [...(before?.answers ?? []), { status: answer.status, type, body }],
    });
  }
  return recorded;
}

/** The route that a row asks: the one with the fewest parameters of those whose pattern fits. */
function routeOf(routes: readonly string[], row: Row): string | undefined {
  const where = row.path.slice(PREFIX.length).replace(/\?.*/, "");
  const fitting = routes.filter((route) => {
    const [method = "", pattern = ""] = route.split(" ");
    const shape = pattern.replace(/:\w+(?:\{([^}]*)\})?/g, (_all, own = "[^/]+") => String(own));
    return method === row.method && new RegExp(`^${shape}$`).test(where);
  });
  const parameters = (route: string) => (route.match(/:/g) ?? []).length;
  return fitting.toSorted((a, b) => parameters(a) - parameters(b))[0];
}
