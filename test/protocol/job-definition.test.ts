import { describe, expect, test } from "vitest";
import { readJobDefinition } from "#protocol/job-definition.ts";
import { fc } from "../support/property.ts";

const minimal = `job_name: a job
device_type: qemu
visibility: public
timeouts:
  job: {minutes: 5}
actions: []
`;
const problemsOf = (text: string): string[] =>
  readJobDefinition(text).problems.map(
    ({ path: where, line, column, message }) => `${line}:${column} ${where}: ${message}`,
  );

describe("a job definition", () => {
  test("with what LAVA wants is read", () => {
    const { definition, problems } = readJobDefinition(minimal);
    expect(problems).toEqual([]);
    expect(definition).toMatchObject({ job_name: "a job", timeouts: { job: { minutes: 5 } } });
  });

  test.each([
    [
      "a missing key",
      minimal.replace("job_name: a job\n", ""),
      ['1:1 job_name: the key "job_name" is missing'],
    ],
    [
      "a wrong type",
      minimal.replace("minutes: 5", "minutes: five"),
      ['5:9 timeouts.job.minutes: expected a whole number, found "five"'],
    ],
    [
      "a misspelt key",
      minimal.replace("visibility", "visibilty"),
      ['3:1 visibilty: unknown key "visibilty"; did you mean visibility?'],
    ],
    [
      "a misspelt word",
      minimal.replace("public", "publik"),
      ['3:1 visibility: expected public, personal or a mapping {group: [...]}, found "publik"'],
    ],
    [
      "an unknown action",
      minimal.replace("[]", "\n- deplo: {to: tmpfs}"),
      ['7:3 actions[0].deplo: unknown key "deplo"; did you mean deploy?'],
    ],
    [
      "two units in a time-out",
      minimal.replace("{minutes: 5}", "{minutes: 5, hours: 1}"),
      ["5:3 timeouts.job: expected one unit only, of days, hours, minutes, seconds"],
    ],
    [
      "a context key that no template knows",
      `${minimal}context: {arhc: amd64}\n`,
      ['7:11 context.arhc: unknown key "arhc"; did you mean arch?'],
    ],
    ["a list where a mapping belongs", "- a\n- b\n", ["1:1 : expected a mapping, found a list"]],
    ["nothing at all", "", ["1:1 : expected a mapping, found nothing"]],
    [
      "something that is no YAML",
      "a: [1, 2\nb: 3\n",
      [expect.stringMatching(/^1:8 : this is not YAML: /)],
    ],
  ])("with %s is refused, and the place is named", (_, text, expected) => {
    const problems = problemsOf(text);
    for (const problem of expected) expect(problems).toContainEqual(problem);
  });

  test("uses one kind of test; another that stands beside it is not read", () => {
    const definitions = "[{from: git, name: a, path: a.yaml, repository: r}]";
    const text = minimal.replace("[]", `\n- test: {definitions: ${definitions}, monitors: 5}`);
    const { definition, problems } = readJobDefinition(text);
    expect(problems).toEqual([]);
    expect(definition?.actions[0]?.test).not.toHaveProperty("monitors");
  });

  test("may have a list nowhere where LAVA wants a mapping", () => {
    const lists = "metadata: []\nsecrets: []\nenvironment: []\ncontext: []\n";
    expect(problemsOf(minimal + lists).toSorted()).toEqual([
      "10:1 context: expected a mapping, found a list",
      "7:1 metadata: expected a mapping, found a list",
      "8:1 secrets: expected a mapping, found a list",
      "9:1 environment: expected a mapping, found a list",
    ]);
  });

  test("tells all its problems, not only the first", () => {
    expect(problemsOf("timeouts: {}\nactions: {}\nnonsense: 1\n").length).toBeGreaterThanOrEqual(4);
  });

  test("may have actions of several kinds in one test, of which one that is well is used", () => {
    const monitors = "[{name: a, start: b, end: c, pattern: d}]";
    const text = minimal.replace("[]", `\n- test: {definitions: 5, monitors: ${monitors}}`);
    const { definition, problems } = readJobDefinition(text);
    expect(problems).toEqual([]);
    expect(definition?.actions[0]?.test).not.toHaveProperty("definitions");
  });

  test("can be any text at all: reading it never throws", () => {
    const reads = (text: string) => {
      const { definition, problems } = readJobDefinition(text);
      expect(definition === undefined).toBe(problems.length > 0);
    };
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 400 }), reads));
    fc.assert(
      fc.property(
        fc.jsonValue().map((value) => JSON.stringify(value)),
        reads,
      ),
    );
  });
});
