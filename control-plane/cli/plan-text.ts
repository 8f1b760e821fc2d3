import type { LabChange, LabSection } from "#protocol/lab.ts";
import { lineDiff } from "#protocol/line-diff.ts";
import { printable } from "./printable.ts";
import { coloured, type Colour, type Terminal } from "./terminal.ts";

const SIGNS: { readonly [A in LabChange["action"]]: { sign: string; colour: Colour } } = {
  create: { sign: "+", colour: "green" },
  change: { sign: "~", colour: "yellow" },
  remove: { sign: "-", colour: "red" },
};
const NOUNS: { readonly [S in LabSection]: string } = {
  settings: "settings",
  templates: "template",
  health_checks: "health check",
  device_types: "device type",
  aliases: "alias",
  tags: "tag",
  users: "user",
  groups: "group",
  workers: "worker",
  devices: "device",
  windows: "maintenance window",
  queries: "query",
};
/** Of each text; the whole is in the files. */
const MAX_DIFF_LINES = 30;

/** A line for each change, with the fields that differ; of texts the lines that do. */
export function planText(terminal: Terminal, changes: readonly LabChange[]): string {
  return changes
    .flatMap(({ action, section, name, fields = {} }) => {
      const { sign, colour } = SIGNS[action];
      const what = `${sign} ${action} ${NOUNS[section]} ${name}`;
      return [
        coloured(terminal, colour, printable(what)),
        ...Object.entries(fields).flatMap(([field, { from, to }]) =>
          fieldLines(terminal, field, from, to),
        ),
      ];
    })
    .join("\n");
}

/** `2 to create, 1 to change, 0 to remove` */
export const planSummary = (changes: readonly LabChange[]): string =>
  counted(changes, { create: "to create", change: "to change", remove: "to remove" });

/** `2 created, 1 changed, 0 removed` */
export const appliedSummary = (changes: readonly LabChange[]): string =>
  counted(changes, { create: "created", change: "changed", remove: "removed" });

const counted = (
  changes: readonly LabChange[],
  words: { readonly [A in LabChange["action"]]: string },
): string =>
  Object.entries(words)
    .map(([action, word]) => `${changes.filter((one) => one.action === action).length} ${word}`)
    .join(", ");

function fieldLines(terminal: Terminal, field: string, from: unknown, to: unknown): string[] {
  const isText = [from, to].some((value) => typeof value === "string" && value.includes("\n"));
  if (!isText) return [printable(`    ${field}: ${shown(from)} -> ${shown(to)}`)];
  const lines = lineDiff(textOf(from), textOf(to));
  const more = lines.length - MAX_DIFF_LINES;
  return [
    `    ${field}:`,
    ...lines.slice(0, MAX_DIFF_LINES).map((line) => {
      const colour = line.startsWith("+") ? "green" : line.startsWith("-") ? "red" : undefined;
      return `      ${coloured(terminal, colour, printable(line))}`;
    }),
    ...(more > 0 ? [`      ... ${more} more lines`] : []),
  ];
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

function shown(value: unknown): string {
  if (value === undefined || value === "") return "none";
  if (Array.isArray(value)) return `[${value.join(", ")}]`;
  return typeof value === "string" ? value : JSON.stringify(value);
}
