import type { Context } from "hono";
import * as v from "valibot";

/** A page's rows for other programs: `?format=`. */
export const exportFormat = v.optional(v.picklist(["csv", "json", "yaml"]));
type Format = "csv" | "json" | "yaml";
export const FORMATS: readonly Format[] = ["csv", "yaml", "json"];

type Cell = string | number | boolean | undefined;

const MEDIA_TYPES: Record<Format, string> = {
  csv: "text/csv; charset=utf-8",
  json: "application/json",
  yaml: "application/yaml; charset=utf-8",
};

/** The rows as a file of this name. Fields that a row does not have are left out, in CSV empty. */
export async function exported(
  c: Context,
  format: Format,
  name: string,
  rows: readonly Readonly<Record<string, Cell>>[],
): Promise<Response> {
  c.header("content-type", MEDIA_TYPES[format]);
  c.header("content-disposition", `attachment; filename="${name}.${format}"`);
  if (format === "csv") return c.body(csvOf(rows));
  const plain = JSON.parse(JSON.stringify(rows)) as unknown;
  if (format === "json") return c.body(`${JSON.stringify(plain, undefined, 1)}\n`);
  const { writeYaml } = await import("#protocol/write-yaml.ts");
  return c.body(writeYaml(plain));
}

function csvOf(rows: readonly Readonly<Record<string, Cell>>[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => names.map((name) => row[name]));
  return [names, ...lines].map((cells) => `${cells.map(csvCell).join(",")}\r\n`).join("");
}

/** A spreadsheet takes text that begins so for a formula, and a test can name itself as it likes. */
function csvCell(cell: Cell): string {
  if (typeof cell !== "string") return String(cell ?? "");
  const isFormula = /^[=+\-@\t\r]/.test(cell) && !/^-?\d+(\.\d+)?$/.test(cell);
  return `"${(isFormula ? `'${cell}` : cell).replaceAll('"', '""')}"`;
}
