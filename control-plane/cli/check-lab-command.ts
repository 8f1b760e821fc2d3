import { setTimeout as sleep } from "node:timers/promises";
import { checkedPageSchema, RULES, type Violation } from "#protocol/integrity.ts";
import type { Client } from "./client.ts";
import { readAnswer } from "./backup/read-answer.ts";
import { argumentsOf, JSON_HELP, JSON_OPTION, type Command, type Context } from "./command.ts";
import { printable } from "./printable.ts";
import { table } from "./terminal.ts";

/** Between two looks: what was seen half-way has gone on by then. */
const PAUSE_MS = 2000;
/** Of a lab at work; a record that changes looks otherwise each time. */
const LOOKS = 3;

export const checkLabCommand: Command = {
  usage: "check-lab",
  about: "look whether all records of the lab agree with each other",
  options: JSON_OPTION,
  help: [
    JSON_HELP,
    "",
    "It reads the whole lab, changes nothing, and may be run while the lab is at work. Exit code 1 when something is wrong.",
    "What it looks for:",
    ...Object.entries(RULES).map(([rule, about]) => `  ${rule.padEnd(18)}${about}`),
  ],
  run: async (context) => {
    argumentsOf(context);
    const { counts, violations } = await checkLab(context.client(), context.signal, (items) =>
      context.terminal.progress?.(`items read: ${items}`),
    );
    context.terminal.progress?.("");
    print(context, counts, violations);
    return violations.length === 0 ? 0 : 1;
  },
};

export interface Checked {
  readonly counts: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
}

/** What a look at the whole lab found that others found as well; one look, where it finds nothing. */
export async function checkLab(
  client: Client,
  signal: AbortSignal,
  progress: (items: number) => void = () => {},
): Promise<Checked> {
  let found = await lookOnce(client, progress);
  for (let look = 1; look < LOOKS && found.violations.length > 0; look++) {
    await sleep(PAUSE_MS, undefined, { signal });
    const before = new Set(found.violations.map(nameOf));
    const again = await lookOnce(client, progress);
    const violations = again.violations.filter((one) => before.has(nameOf(one)));
    found = { counts: again.counts, violations };
  }
  return found;
}

/** How long something is late grows from look to look. */
const nameOf = ({ rule, what, text }: Violation): string =>
  rule === "overdue" ? `${rule} ${what}` : `${rule} ${what} ${text}`;

async function lookOnce(client: Client, progress: (items: number) => void): Promise<Checked> {
  const counts: Record<string, number> = {};
  const violations: Violation[] = [];
  let items = 0;
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const query: string = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const answer = await client.json("GET", `/backup/check${query}`);
    const page = readAnswer(client, checkedPageSchema, answer);
    violations.push(...page.violations);
    for (const [kind, count] of Object.entries(page.counts)) {
      counts[kind] = (counts[kind] ?? 0) + count;
      items += count;
    }
    progress(items);
    ({ cursor } = page);
  }
  return { counts, violations };
}

function print(
  { terminal, values }: Context,
  counts: Checked["counts"],
  found: Checked["violations"],
) {
  if (values["json"]) {
    terminal.out(JSON.stringify({ counts, violations: found }, undefined, 2));
    return;
  }
  const items = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const said = `${counts["job"] ?? 0} jobs, ${counts["device"] ?? 0} devices, ${items} records`;
  if (found.length === 0) return terminal.out(`${said}: all agree`);
  terminal.out(
    table(
      terminal,
      ["RULE", "WHERE", "FOUND"],
      found.map(({ rule, what, text }) => [rule, printable(what), printable(text)]),
    ),
  );
  terminal.out(`${said}: ${found.length} violation${found.length === 1 ? "" : "s"}`);
}
