import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { checkJob } from "#protocol/check-job.ts";
import { stockTemplates, stockTemplatesFolder } from "../../control-plane/stock-templates.ts";
import { renderDevice } from "../../control-plane/templates/render-device.ts";
import type { Row } from "./main.ts";

const root = path.resolve(import.meta.dirname, "../..");

/**
 * What it costs to understand a lab's files, warm: each job and each dictionary of the test corpus where that is at
 * hand, else the examples and the device types of this repository; a value per file, the median of `runs`.
 */
export async function measureLanguage({ runs }: { runs: number }): Promise<Row[]> {
  const jobs = texts(
    "../shared/corpus/jobs",
    ".yaml",
    path.join(stockTemplatesFolder(), "health-checks"),
  );
  const dictionaries = texts("../shared/corpus/devices", ".jinja2", undefined);
  const devices =
    dictionaries.length > 0
      ? dictionaries
      : ["beaglebone-black", "qemu", "juno", "imx8mq-evk"].map(
          (t) => `{% extends '${t}.jinja2' %}`,
        );
  const loader = stockTemplates();
  const render = (dictionary: string, withOrigins: boolean) => () =>
    renderDevice({ name: "device.jinja2", dictionary, loader, withOrigins });
  return [
    row("validate a job: YAML, gate, strict schema", jobs, runs, (text) => () => checkJob(text)),
    row("render a device", devices, runs, (text) => render(text, false)),
    row("render a device, and where each value was set", devices, runs, (text) =>
      render(text, true),
    ),
  ];
}

function row(
  name: string,
  files: readonly string[],
  runs: number,
  work: (text: string) => () => unknown,
): Row {
  const all = files.map(work);
  for (const one of all) one();
  for (const one of all) one();
  return {
    name,
    unit: "ms",
    values: all.map((one) => median(Array.from({ length: runs }, () => timed(one)))),
  };
}

function timed(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

/** Texts of a folder beside the repository, or of `instead`. */
function texts(folder: string, ending: string, instead: string | undefined): string[] {
  const there = path.resolve(root, folder);
  const from = existsSync(there) ? there : instead;
  if (from === undefined) return [];
  const names = readdirSync(from).filter((name) => name.endsWith(ending));
  return names.map((name) => readFileSync(path.join(from, name), "utf8"));
}
