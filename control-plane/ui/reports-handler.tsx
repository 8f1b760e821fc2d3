import type { Context } from "hono";
import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { failureRate, labReport, type LabReport } from "../domain/reports/lab-report.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { exported, exportFormat } from "./export-rows.ts";
import { ReportsPage } from "./reports-page.tsx";
import type { View } from "./view.ts";

const reportQuery = v.object({
  days: v.optional(v.picklist(["7", "30", "90"], "expected 7, 30 or 90"), "7"),
  of: v.optional(v.picklist(["days", "types", "devices"]), "days"),
  format: exportFormat,
});

/** `/reports?days=`; `of` says which table `format` makes a file of. */
export async function showReports(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const { days, of, format } = parse(reportQuery, c.req.query(), "query");
  const report = await labReport(deps, c.var.principal, { days: Number(days) });
  if (format !== undefined) return exported(c, format, `report-${of}`, rowsOf(report, of));
  return c.html(<ReportsPage {...{ view, report }} days={Number(days)} />) as Response;
}

function rowsOf({ days, types, devices }: LabReport, of: "days" | "types" | "devices") {
  if (of === "days") return days.map((line) => ({ ...line }));
  return (of === "types" ? types : devices).map((line) => ({
    ...line,
    failed: Math.round(failureRate(line) * 1000) / 1000,
  }));
}
