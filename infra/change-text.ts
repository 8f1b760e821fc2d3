import { printable } from "../control-plane/cli/printable.ts";
import { coloured, type Colour, type Terminal } from "../control-plane/cli/terminal.ts";
import type { Change } from "./change-set.ts";

const SIGNS = {
  Add: ["+", "green"],
  Modify: ["~", "yellow"],
  Remove: ["-", "red"],
  Import: ["<", "cyan"],
  Dynamic: ["?", "yellow"],
} as const satisfies Record<Change["action"], [string, Colour]>;

/** A line for each change, what is removed or made anew last, and a line that counts them. */
export function changesText(terminal: Terminal, changes: readonly Change[]): string {
  const lines = changes
    .toSorted((a, b) => weight(a) - weight(b) || a.name.localeCompare(b.name))
    .map((change) => lineOf(terminal, change));
  return [...lines, summary(changes)].join("\n");
}

const weight = ({ action, replaced }: Change): number =>
  replaced === "yes" ? 3 : action === "Remove" ? 2 : replaced === "maybe" ? 1 : 0;

function lineOf(terminal: Terminal, change: Change): string {
  const { action, replaced, properties } = change;
  const [sign, colour] = replaced === "yes" ? (["±", "red"] as const) : SIGNS[action];
  const how =
    replaced === "yes"
      ? " made anew"
      : replaced === "maybe"
        ? " perhaps made anew"
        : action === "Import"
          ? " taken over as it is"
          : "";
  const what = action === "Modify" && properties.length > 0 ? `: ${properties.join(", ")}` : "";
  const type = change.type.replace(/^AWS::/, "");
  return coloured(terminal, colour, printable(`${sign} ${change.name} (${type})${how}${what}`));
}

function summary(changes: readonly Change[]): string {
  const count = (test: (change: Change) => boolean) => changes.filter(test).length;
  const isAnew = ({ replaced }: Change) => replaced !== "no";
  const parts = [
    [count(({ action }) => action === "Add"), "to add"],
    [count(({ action }) => action === "Import"), "to take over"],
    [count((change) => change.action === "Modify" && !isAnew(change)), "to change"],
    [count(isAnew), "to make anew"],
    [count(({ action }) => action === "Remove"), "to remove"],
  ] as const;
  return parts.flatMap(([number, what]) => (number > 0 ? [`${number} ${what}`] : [])).join(", ");
}

const DATA = new Set(["AWS::DynamoDB::Table", "AWS::S3::Bucket"]);

/** Changes after which the lab would begin with an empty table or bucket. */
export const dataAtRisk = (changes: readonly Change[]): Change[] =>
  changes.filter(
    ({ type, action, replaced }) => DATA.has(type) && (action === "Remove" || replaced !== "no"),
  );
