import { TEST_RESULTS } from "#protocol/states.ts";
import type { ResultView } from "#protocol/api.ts";
import type { SuiteView } from "#protocol/results.ts";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { fixedDecimal } from "../../domain/results/decimal.ts";
import { readResults } from "../../domain/results/read-results.ts";
import { listSuites } from "../../domain/results/suites.ts";
import { getVisibleJob } from "../../domain/visible.ts";
import type { RouteContext } from "../../http/route.ts";
import { jobIdIn } from "../job-id-in.ts";
import { blockYaml } from "../shapes/block-yaml.ts";
import { caseIdOf } from "../shapes/lava-ids.ts";
import { suiteIdOf } from "../shapes/lava-suites.ts";
import { caseMetadata } from "../shapes/results-yaml.ts";
import { badField, needs, restRoutes } from "./drf.ts";
import { readFilters, readOrdering, type Fields } from "./lookups.ts";
import { addressOf, listAnswer, pageAnswer, rangeOf, type Page } from "./pages.ts";

/** What can be put in another order than that of the log. */
const MOST_ORDERED = 10_000;

interface Case {
  readonly view: ResultView;
  readonly job: number;
  readonly suite: SuiteView;
}

const SUITE_FIELDS = (job: number): Fields<SuiteView> => ({
  id: { kind: "number", of: (suite) => suiteIdOf(job, suite) },
  name: { kind: "text", of: ({ name }) => name },
});
const CASE_FIELDS: Fields<Case> = {
  id: { kind: "number", of: ({ job, view }) => caseIdOf(job, view.log_line) },
  name: { kind: "text", of: ({ view }) => view.name },
  result: { kind: "choice", choices: TEST_RESULTS, of: ({ view }) => view.result },
  units: { kind: "text", of: ({ view }) => view.units },
  measurement: { kind: "number", of: ({ view }) => view.measurement },
  suite: { kind: "number", of: ({ job, suite }) => suiteIdOf(job, suite) },
  suite__name: { kind: "text", of: ({ suite }) => suite.name },
  test_set__name: { kind: "text", of: ({ view }) => view.set },
  start_log_line: { kind: "number", of: ({ view }) => view.log_start_line },
  end_log_line: { kind: "number", of: ({ view }) => view.log_end_line },
  logged: { kind: "time", of: ({ view }) => view.logged },
};

/** `/api/v0.2/jobs/N/suites/` and `/tests/`. A suite and a test are named by LAVA's number of them, or by their names. */
export function restResultRoutes(deps: Deps) {
  const app = restRoutes(deps);
  const jobOf = async (c: RouteContext) => {
    const id = await jobIdIn(deps, c.var.principal, c.req.param("id"));
    return { id, suites: (await listSuites(deps, c.var.principal, { id })).suites };
  };
  const suiteOf = async (c: RouteContext) => {
    const { id, suites } = await jobOf(c);
    const named = c.req.param("suite");
    const suite = suites.find((one) => one.name === named || String(suiteIdOf(id, one)) === named);
    if (!suite) throw new AppError("not_found", `job ${id} has no suite ${String(named)}`);
    return { id, suite };
  };
  app.get("/jobs/:id/suites/", needs(deps, "read"), async (c) => {
    const { id, suites } = await jobOf(c);
    const view = (suite: SuiteView) => suiteJson(c, id, suite);
    return c.json(await listAnswer(c, suites, SUITE_FIELDS(id), { searched: ["name"], view }));
  });
  app.get("/jobs/:id/tests/", needs(deps, "read"), async (c) => {
    const { id, suites } = await jobOf(c);
    return c.json(await casePage(deps, c, id, suites));
  });
  app.get("/jobs/:id/suites/:suite/", needs(deps, "read"), async (c) => {
    const { id, suite } = await suiteOf(c);
    return c.json(suiteJson(c, id, suite));
  });
  app.get("/jobs/:id/suites/:suite/tests/", needs(deps, "read"), async (c) => {
    const { id, suite } = await suiteOf(c);
    return c.json(await casePage(deps, c, id, [suite]));
  });
  app.get("/jobs/:id/suites/:suite/tests/:test/", needs(deps, "read"), async (c) => {
    const { id, suite } = await suiteOf(c);
    return c.json(await oneCase(deps, c, id, [suite]));
  });
  app.get("/jobs/:id/tests/:test/", needs(deps, "read"), async (c) => {
    const { id, suites } = await jobOf(c);
    return c.json(await oneCase(deps, c, id, suites));
  });
  return app;
}

/** By its number, or by its name: the first of that name. */
async function oneCase(deps: Deps, c: RouteContext, id: number, suites: readonly SuiteView[]) {
  const named = c.req.param("test");
  for await (const one of casesOf(deps, c, id, suites)) {
    const isIt = one.view.name === named || String(caseIdOf(id, one.view.log_line)) === named;
    if (isIt) return caseJson(c, one);
  }
  throw new AppError("not_found", `there is no test ${named} in job ${id}`);
}

async function* casesOf(
  deps: Deps,
  c: RouteContext,
  id: number,
  suites: readonly SuiteView[],
): AsyncGenerator<Case> {
  const job = await getVisibleJob(deps, c.var.principal, id);
  const byName = new Map(suites.map((suite) => [suite.name, suite]));
  const [only, ...others] = suites;
  if (!only) return;
  const range = others.length > 0 ? {} : { from: only.first_line, to: only.last_line };
  for await (const view of readResults(deps, job, range)) {
    const suite = byName.get(view.suite);
    if (suite) yield { view, job: id, suite };
  }
}

/** In the order of the log; of those that fit only the page is kept, unless another order is wanted. */
async function casePage(
  deps: Deps,
  c: RouteContext,
  id: number,
  suites: readonly SuiteView[],
): Promise<Page> {
  const filters = readFilters(CASE_FIELDS, addressOf(c).searchParams);
  const search = c.req.query("search")?.toLowerCase();
  if (search) filters.push(({ view }) => view.name.toLowerCase().includes(search));
  const ordering = c.req.query("ordering");
  const order = ordering === "id" ? undefined : readOrdering(CASE_FIELDS, ordering);
  const range = rangeOf(c);
  const kept: Case[] = [];
  let count = 0;
  for await (const one of casesOf(deps, c, id, suites)) {
    if (!filters.every((fits) => fits(one))) continue;
    if (order || (count >= range.offset && kept.length < range.limit)) kept.push(one);
    count += 1;
    if (order && count > MOST_ORDERED) {
      throw badField("ordering", `more than ${MOST_ORDERED} tests: expected id, or more filters`);
    }
  }
  const some = order ? kept.toSorted(order).slice(range.offset, range.offset + range.limit) : kept;
  return pageAnswer(
    c,
    range,
    count,
    some.map((one) => caseJson(c, one)),
  );
}

function suiteJson(c: RouteContext, job: number, suite: SuiteView) {
  const id = suiteIdOf(job, suite);
  return { id, resource_uri: uri(c, `jobs/${job}/suites/${id}/`), name: suite.name, job };
}

function caseJson(c: RouteContext, { view, job, suite }: Case) {
  const id = caseIdOf(job, view.log_line);
  const inSuite = suiteIdOf(job, suite);
  return {
    id,
    result: view.result,
    resource_uri: uri(c, `jobs/${job}/suites/${inSuite}/tests/${id}/`),
    unit: view.units ?? "",
    name: view.name,
    measurement: view.exact === undefined ? null : fixedDecimal(view.exact),
    metadata: blockYaml(caseMetadata(view.metadata)),
    start_log_line: view.log_start_line ?? null,
    end_log_line: view.log_end_line ?? null,
    logged: view.logged.replace(/\+00:00$/, "Z"),
    suite: inSuite,
    test_set: view.set ?? null,
  };
}

const uri = (c: RouteContext, rest: string): string =>
  new URL(`/api/v0.2/${rest}`, addressOf(c)).href;
