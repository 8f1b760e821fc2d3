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
export type ViewFilter = Omit<JobFilter, "limit" | "cursor">;

/** More tabs nobody reads. */
const MOST_VIEWS = 50;

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

/** Keeps a filter as a view of whoever asks; one of the same name is replaced. Throws `invalid`, `conflict` when they have too many. */
export async function saveJobsView(
  deps: Deps,
  principal: Principal,
  label: string,
  filter: ViewFilter,
): Promise<void> {
  const user = requireUser(principal);
  const name = nameOf(label);
  const conditions = FIELDS.flatMap(([field, of, operator]): Condition[] => {
    const value = filter[field];
    return value === undefined ? [] : [{ table: "testjob", field: of, operator, value }];
  });
  if (conditions.length === 0) throw new AppError("invalid", "filter the list first");
  const views = await listJobsViews(deps, user);
  if (views.length >= MOST_VIEWS && views.every((view) => view.name !== name)) {
    throw new AppError("conflict", `at most ${MOST_VIEWS} views: remove one first`);
  }
  const query = { description: label, entity: "testjob" as const, limit: 200, published: false };
  await putQuery(deps, user, [user.name, name], { ...query, conditions });
}

export const removeJobsView = (deps: Deps, principal: Principal, name: string): Promise<void> =>
  removeQuery(deps, principal, requireUser(principal).name, name);

function viewOf({ name, description, entity, conditions }: QueryView): JobsView | undefined {
  if (entity !== "testjob" || conditions.length === 0) return undefined;
  const filter: Record<string, string> = {};
  for (const { table, field, operator, value } of conditions) {
    const [key] =
      FIELDS.find(([, of, by]) => table === "testjob" && of === field && by === operator) ?? [];
    if (key === undefined || key in filter || !isGood(key, value)) return undefined;
    filter[key] = value;
  }
  return { name, label: description.slice(0, 40) || name, filter };
}

/** What the list itself would refuse is no view. */
function isGood(field: string, value: string): boolean {
  if (field === "state") return JOB_STATES.some((state) => state === value);
  if (field === "health") return JOB_HEALTHS.some((health) => health === value);
  return !["since", "until"].includes(field) || /^\d{4}-\d\d-\d\d$/.test(value);
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
