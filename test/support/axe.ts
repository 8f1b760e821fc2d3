import axe, { type AxeResults } from "axe-core";
import type { Page } from "playwright-core";

/** Kinds of rules. */
const EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** The rules that other colours can break. */
const COLOURS = ["color-contrast", "link-in-text-block"];

/**
 * What WCAG 2.2 A and AA find wrong in the page as it is now: a line for each rule with the first places, none when all is well.
 * `onlyColours`: of a page that was looked at on this screen in other colours.
 */
export async function axeProblems(page: Page, { onlyColours = false } = {}): Promise<string[]> {
  // The page's policy forbids inline scripts; what is evaluated by the debugger is not under it.
  await page.evaluate(axe.source);
  const runOnly = onlyColours ? COLOURS : EVERYTHING;
  const options = JSON.stringify({ runOnly, resultTypes: ["violations"] });
  const violations = await page.evaluate<AxeResults["violations"]>(
    `axe.run(document, ${options}).then(({ violations }) => violations)`,
  );
  return violations.map(({ id, help, nodes }) => {
    const some = nodes.slice(0, 4).map(({ target, failureSummary = "" }) => {
      const why = failureSummary.split("\n")[1]?.trim() ?? "";
      return `${target.join(" ")} (${why})`;
    });
    const more = nodes.length > some.length ? ` and ${nodes.length - some.length} more` : "";
    return `${id}: ${help}: ${some.join("; ")}${more}`;
  });
}
