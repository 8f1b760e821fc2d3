import { parse, stringify } from "yaml";
import { readTicket } from "../../worker/job-context.ts";
import { checkPlan } from "../../worker/pipeline/check-plan.ts";
import { plan } from "../../worker/run-ticket.ts";
import { methodPage } from "../support/method-page.ts";
import { ticketFor } from "../support/run-on-bed.ts";

type Action = Record<string, Record<string, unknown>>;
type Job = Record<string, unknown> & { actions: Action[] };

/** A part of a job: actions, or keys of its top level. */
export type Part = Action[] | Record<string, unknown>;

/** What is wrong with the job of a method's page on its device, when this part of another page stands in it; gate and planner say. */
export function partProblems(part: Part, page = pageFor(part), lines = ""): string[] {
  const { job, dictionary } = methodPage(page);
  const own = parse(job) as Job;
  const whole = Array.isArray(part)
    ? { ...own, actions: withActions(own.actions, part) }
    : { ...own, ...part };
  try {
    const ticket = ticketFor({ job: stringify(whole), dictionary: `${dictionary}${lines}` });
    checkPlan(plan(readTicket(ticket, "/nonexistent")));
    return [];
  } catch (error) {
    return [`in the job of docs/methods/${page}.md: ${(error as Error).message}`];
  }
}

/** The page whose job boots as the part does; QEMU where it does not say. */
function pageFor(part: Part): string {
  const boot = Array.isArray(part) ? part.find(({ boot: one }) => one)?.["boot"] : undefined;
  if (boot?.["method"] === "u-boot")
    return boot["commands"] === "nfs" ? "deploy-nfs" : "boot-u-boot";
  return "boot-qemu";
}

/** In the place of those of their kinds. */
function withActions(own: readonly Action[], part: readonly Action[]): Action[] {
  const kinds = new Set(part.map((one) => Object.keys(one)[0] ?? ""));
  const isReplaced = (one: Action) => kinds.has(Object.keys(one)[0] ?? "");
  const at = own.findIndex(isReplaced);
  const kept = (some: readonly Action[]) => some.filter((one) => !isReplaced(one));
  return at < 0 ? [...own, ...part] : [...kept(own.slice(0, at)), ...part, ...kept(own.slice(at))];
}

/** The same, of keys that stand in the boot action of a page's job. */
export function bootProblems(keys: Record<string, unknown>, page: string): string[] {
  const { actions } = parse(methodPage(page).job) as Job;
  const boots = actions.filter((one) => one["boot"]);
  return partProblems(
    boots.map((one) => ({ boot: { ...one["boot"], ...keys } })),
    page,
  );
}
