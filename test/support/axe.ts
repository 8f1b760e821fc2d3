import axe, { type AxeResults } from "axe-core";
import type { Page } from "playwright-core";

/** What WCAG 2.2 A and AA find wrong in the page as it is now: a line for each rule with the first places, none when all is well. */
export async function axeProblems(page: Page): Promise<string[]> {
  // The page's policy forbids inline scripts; what is evaluated by the debugger is not under it.
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe: check } = globalThis as unknown as { axe: typeof axe };
    const { violations }: AxeResults = await check.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      resultTypes: ["violations"],
    });
    return violations.map(({ id, help, nodes }) => {
      const some = nodes.slice(0, 4).map(({ target, failureSummary = "" }) => {
        const why = failureSummary.split("\n")[1]?.trim() ?? "";
        return `${target.join(" ")} (${why})`;
      });
      const more = nodes.length > some.length ? ` and ${nodes.length - some.length} more` : "";
      return `${id}: ${help}: ${some.join("; ")}${more}`;
    });
  });
}
