import type { QueryView } from "#protocol/queries.ts";
import type { Condition } from "#protocol/saved-query.ts";
import { JOB_HEALTHS, JOB_STATES } from "#protocol/states.ts";
import { AppError } from "../app-error.ts";
import type { Deps } from "../deps.ts";
import type { JobFilter } from "../jobs.ts";
import { queryKey } from "../keys.ts";
import { requireUser, type Principal } from "../principal.ts";
import { putQuery, removeQuery } from "./saved-queries.ts";

/** A view of the list of jobs: a person's own saved query which says no more than the list's filter can. */
export interface JobsView {
  readonly name: string;
  readonly label: string;
  readonly filter: ViewFilter;
}
/** As the list's address says it: `since` and `until` are days, both inclusive. */
export type ViewFilter = Omit<JobFilter, "limit" | "cursor">;

/** More tabs nobody reads. */
const MOST_VIEWS = 50;
/** Each is a condition, of which a query has 20. */
const MOST_WORDS = 12;
const DAY_MS = 24 * 60 * 60 * 1000;

/** How the filter's fields are said as conditions. */
const FIELDS = [
  ["state", "state", "exact"],
  ["health", "health", "exact"],
  ["device", "actual_device", "exact"],
  ["device_type", "requested_device_type", "exact"],
  ["submitter", "submitter", "exact"],
  ["text", "description", "icontains"],
  ["since", "submit_time", "gt"],
  ["until", "submit_time", "lt"],
] as const;

/** The views of whoever asks, by name; none of somebody who is not signed in. */
export async function listJobsViews(
  { table }: Pick<Deps, "table">,
  principal: Principal,
): Promise<JobsView[]> {
  if (principal.kind !== "user" && principal.kind !== "session") return [];
  const { partition } = queryKey("", "");
  const range = { from: `${principal.name}/`, to: `${principal.name}/~`, limit: 200 };
  const { items } = await table.query<QueryView>("main", partition, range);
  return items.flatMap(({ data }) => viewOf(data) ?? []).slice(0, MOST_VIEWS);
}

/**
 * Keeps a filter as a view of whoever asks; one of the same name is replaced. Throws `invalid`, and `conflict` when
 * they have too many or a query of that name that is no view.
 */
export async function saveJobsView(
  deps: Deps,
  principal: Principal,
  label: string,
  filter: ViewFilter,
): Promise<void> {
  const user = requireUser(principal);
  const name = nameOf(label);
  const conditions = conditionsOf(filter);
  if (conditions.length === 0) throw new AppError("invalid", "filter the list first");
  const views = await listJobsViews(deps, user);
  if (views.length >= MOST_VIEWS && views.every((view) => view.name !== name)) {
    throw new AppError("conflict", `at most ${MOST_VIEWS} views: remove one first`);
  }
  const was = (await deps.table.get<QueryView>(queryKey(user.name, name)))?.data;
  if (was && !viewOf(was)) {
    throw new AppError("conflict", `there is a query ${user.name}/${name}: take another name`);
  }
  // Whoever shares it goes on to.
  const { limit = 200, published = false, group } = was ?? {};
  const query = { description: label, entity: "testjob" as const, limit, published };
  const shared = group === undefined ? {} : { group };
  await putQuery(deps, user, [user.name, name], { ...query, ...shared, conditions });
}

export const removeJobsView = (deps: Deps, principal: Principal, name: string): Promise<void> =>
  removeQuery(deps, principal, requireUser(principal).name, name);

/** What the filter says as a query says it: each word is one to find, and the last day counts to its end. */
function conditionsOf(filter: ViewFilter): Condition[] {
  return FIELDS.flatMap(([field, of, operator]) => {
    const value = filter[field];
    if (value === undefined) return [];
    const values = { text: () => wordsIn(value), until: () => [dayBeside(value, 1)] };
    const all = field === "text" || field === "until" ? values[field]() : [value];
    return all.map((one): Condition => ({ table: "testjob", field: of, operator, value: one }));
  });
}

function wordsIn(text: string): string[] {
  const words = text.split(/\s+/).filter(Boolean);
  if (words.length <= MOST_WORDS) return words;
  throw new AppError("invalid", `a view has at most ${MOST_WORDS} words to find`);
}

const dayBeside = (day: string, days: number): string =>
  new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);

function viewOf({ name, description, entity, conditions }: QueryView): JobsView | undefined {
  if (entity !== "testjob" || conditions.length === 0) return undefined;
  const filter: Partial<Record<keyof ViewFilter, string>> = {};
  for (const { table, field, operator, value } of conditions) {
    const [key] =
      FIELDS.find(([, of, by]) => table === "testjob" && of === field && by === operator) ?? [];
    if (key === undefined || !isGood(key, value)) return undefined;
    if (key === "text" && filter.text !== undefined) filter.text += ` ${value}`;
    else if (key in filter) return undefined;
    else filter[key] = key === "until" ? dayBeside(value, -1) : value;
  }
  return { name, label: description.slice(0, 40) || name, filter: filter as ViewFilter };
}

/** What the list itself would refuse is no view. */
function isGood(field: string, value: string): boolean {
  if (field === "state") return JOB_STATES.some((state) => state === value);
  if (field === "health") return JOB_HEALTHS.some((health) => health === value);
  // Of several words together the list cannot ask.
  if (field === "text") return !/\s/.test(value);
  if (field !== "since" && field !== "until") return true;
  return /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value));
}

/** A name that addresses can have. */
function nameOf(label: string): string {
  const name = label
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 60);
  if (name !== "") return name;
  throw new AppError("invalid", "a view needs a name with a letter or number in it");
}
