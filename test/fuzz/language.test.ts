import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { readJobDefinition } from "#protocol/job-definition.ts";
import { readYaml, type ReadYaml } from "#protocol/read-yaml.ts";
import { readTestDefinition } from "#protocol/test-definition.ts";
import { stockTemplates, stockTemplatesFolder } from "../../control-plane/stock-templates.ts";
import { renderDevice } from "../../control-plane/templates/render-device.ts";
import { fc } from "../support/property.ts";
import { root } from "../support/real-lab.ts";

/** 100,000 in all: `PUMICE_FUZZ_RUNS=100000`; another sequence: `PUMICE_FUZZ_SEED=...`. */
const runs = Number(process.env["PUMICE_FUZZ_RUNS"] ?? 1000);
const seed = Number(process.env["PUMICE_FUZZ_SEED"] ?? 20);
const minutes = 60_000;

const load = stockTemplates();

/** What reading a text comes to. Throws when it is neither a result nor a named error. */
const readers: Record<string, (text: string) => "read" | "refused"> = {
  yaml: (text) => yamlOutcome(readYaml(text)),
  job: (text) => {
    const { definition, problems, locate } = readJobDefinition(text);
    expect(locate(["actions", 0, "deploy"]).line).toBeGreaterThan(0);
    return outcome(definition, problems);
  },
  "test definition": (text) => {
    const { definition, problems } = readTestDefinition(text);
    return outcome(definition, problems);
  },
  configuration: (text) => {
    const { configuration, problems } = readDeviceConfiguration(text);
    return outcome(configuration, problems);
  },
  dictionary: (dictionary) => {
    const device = { name: "dut.jinja2", dictionary, loader: load };
    const { text, value, problems, warnings } = renderDevice(device);
    expect(text.length).toBeLessThanOrEqual(1_000_000);
    for (const { message, template, line } of [...problems, ...warnings]) {
      expect(message).not.toBe("");
      expect(template).not.toBe("");
      expect(line).toBeGreaterThanOrEqual(0);
    }
    expect(renderDevice({ ...device, withOrigins: true }).text).toBe(text);
    return problems.length > 0 || value === undefined ? "refused" : "read";
  },
};

function outcome(value: unknown, problems: { message: string; line: number }[]) {
  expect(value === undefined).toBe(problems.length > 0);
  for (const { message, line } of problems) {
    expect(message).not.toBe("");
    expect(line).toBeGreaterThan(0);
  }
  return problems.length > 0 ? "refused" : "read";
}

function yamlOutcome(read: ReadYaml): "read" | "refused" {
  const { value, problems, warnings, locate } = read;
  for (const { line, column } of [...problems, ...warnings, locate(["a", 0, "b"])]) {
    expect(line).toBeGreaterThan(0);
    expect(column).toBeGreaterThan(0);
  }
  if (problems.length === 0) read.leaves();
  return outcome(value, problems);
}

const corpus = path.resolve(root, "../shared/corpus");
const example = (name: string) => path.join(root, "docs/examples", name);
const texts = {
  yaml: filesOf(path.join(corpus, "jobs"), ".yaml", [example("qemu-smoke.yaml")]),
  jinja2: filesOf(
    path.join(corpus, "devices"),
    ".jinja2",
    ["qemu", "juno", "docker", "base-uboot", "base"].map((type) =>
      path.join(stockTemplatesFolder(), `${type}.jinja2`),
    ),
  ),
};
const testDefinition = `metadata: {format: Lava-Test Test Definition 1.0, name: smoke, os: [debian]}
params: {COUNT: 3}
install:
  deps: [curl]
  git-repos: [{url: "https://git.test/a.git", branch: main}]
run:
  steps:
  - lava-test-case boots --shell 'uname -a'
parse: {pattern: '^(?P<test_case_id>.+)=(?P<result>.+)$', fixupdict: {OK: pass}}
`;
const configurations = texts.jinja2
  .slice(0, 10)
  .map((dictionary) => renderDevice({ name: "dut.jinja2", dictionary, loader: load }).text);

const yamlPieces =
  `a b : - ? [ ] { } , & * # | > ' " % @ \` ! << ~ 1 . --- ... = yes 012 1:30 .inf {a:1} [x]`
    .split(" ")
    .concat("\n", "  ", "\t", "&a ", "*a ", ": ", "- ", "!!int ", "%YAML 1.2\n", "\u2028", "\r")
    .concat(
      "'a\nb'",
      '"\\x41\\\n"',
      "|2\n   x\n",
      "<<: *a\n",
      "__proto__: 1\n",
      "\u0000",
      "\ud800",
    );
const jinjaPieces =
  `{{ }} {% %} {# #} -%} {{- x = ' " [ ] { } ( ) | default if endif else for in endfor block endblock 1 . , ~ \\ **`
    .split(" ")
    .concat("\n", " set ", " filter ", "{% set x = x ~ x %}", "{% endfilter %}", "{{ super() }}")
    .concat(
      "{% for i in range(99) %}",
      "{% include 'base.jinja2' %}",
      "{{ self.body() }}",
      "\ufdd0",
    )
    .concat(
      "{% extends 'base.jinja2' %}",
      "{% filter indent(width=2) %}",
      "{{ x | replace('', x) }}",
    );

/** Words in any order, or a real text of which some parts are cut, doubled, moved or replaced. */
function mutated(bases: readonly string[], pieces: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...pieces) },
    { weight: 1, arbitrary: fc.string({ maxLength: 5, unit: "binary" }) },
  );
  const words = fc.array(piece, { maxLength: 60 }).map((parts) => parts.join(""));
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const edit = fc.record({ at: place, length: fc.integer({ min: 0, max: 80 }), piece, to: place });
  const edits = fc.array(edit, { minLength: 0, maxLength: 6 });
  const changed = fc.tuple(fc.constantFrom(...bases), edits).map(([base, all]) =>
    all.reduce((text, { at, length, piece: put, to }) => {
      const from = Math.floor(at * text.length);
      const cut = text.slice(from, from + length);
      const rest = text.slice(0, from) + put + text.slice(from + length);
      const into = Math.floor(to * rest.length);
      return length % 3 === 0 ? rest : rest.slice(0, into) + cut + rest.slice(into);
    }, base),
  );
  return fc.oneof({ weight: 1, arbitrary: words }, { weight: 3, arbitrary: changed });
}

describe("whatever the text, it comes to a result or to an error that names its place", () => {
  const yaml = mutated(texts.yaml, yamlPieces);
  const inputs: [kind: string, input: fc.Arbitrary<string>, share: number][] = [
    ["yaml", yaml, 0.2],
    ["job", yaml, 0.3],
    ["test definition", mutated([testDefinition], yamlPieces), 0.05],
    ["configuration", mutated(configurations, yamlPieces), 0.15],
    ["dictionary", mutated(texts.jinja2, jinjaPieces), 0.3],
  ];
  test.each(inputs)(
    "%s",
    (kind, input, share) => {
      const found = { read: 0, refused: 0 };
      let slowest = 0;
      const read = readers[kind];
      const property = fc.property(input, (text) => {
        const start = performance.now();
        found[read?.(text) ?? "refused"] += 1;
        slowest = Math.max(slowest, performance.now() - start);
      });
      fc.assert(property, { numRuns: Math.ceil(runs * share), seed });
      const peak = Math.round(process.resourceUsage().maxRSS / 1024);
      console.log(
        `${kind}, seed ${seed}: ${found.read} read, ${found.refused} refused, slowest ${slowest.toFixed(0)} ms, peak ${peak} MB`,
      );
    },
    60 * minutes,
  );
});

function filesOf(folder: string, ending: string, instead: readonly string[]): string[] {
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith(ending))
    : [];
  const files = names.length > 0 ? names.map((name) => path.join(folder, name)) : instead;
  return files.map((file) => readFileSync(file, "utf8"));
}
