import { expect, test } from "vitest";
import { readYaml } from "#protocol/read-yaml.ts";
import type { ResultView } from "#protocol/api.ts";
import { blockYaml } from "../../control-plane/lava/shapes/block-yaml.ts";
import { caseIdOf, readCaseId } from "../../control-plane/lava/shapes/lava-ids.ts";
import { logLine } from "../../control-plane/lava/shapes/log-yaml.ts";
import { pythonText } from "../../control-plane/lava/shapes/python-text.ts";
import { casesYaml, csvRow, lavaCase } from "../../control-plane/lava/shapes/results-yaml.ts";
import { fc } from "../support/property.ts";

const VIEW: ResultView = {
  suite: "lava",
  name: "test-overlay",
  result: "pass",
  measurement: 0,
  exact: "0",
  units: "seconds",
  level: "1.3.2",
  logged: "2026-11-22T03:59:30.475984+00:00",
  log_line: 40,
  metadata: {
    result: "pass",
    case: "test-overlay",
    definition: "lava",
    duration: "0.00",
    extra: { path: "inline/t.yaml", from: "inline" },
  },
};

test("a case is written as a real server wrote it", () => {
  expect(casesYaml([lavaCase(10, VIEW)])).toBe(`- id: '1000000040'
  job: '10'
  level: 1.3.2
  log_end_line: ''
  log_start_line: ''
  logged: '2026-11-22 03:59:30.475984+00:00'
  measurement: '0.0000000000'
  metadata:
    case: test-overlay
    definition: lava
    duration: '0.00'
    extra:
    - from: inline
    - path: inline/t.yaml
    result: pass
  name: test-overlay
  result: pass
  suite: lava
  unit: seconds
  url: /results/testcase/1000000040
`);
  expect(csvRow(lavaCase(10, VIEW))).toBe(
    `"10","lava","pass","0.0000000000","seconds","","","2026-11-22 03:59:30.475984+00:00","1.3.2","{'case': 'test-overlay', 'definition': 'lava', 'duration': '0.00', 'extra': [{'from': 'inline'}, {'path': 'inline/t.yaml'}], 'result': 'pass'}","/results/testcase/1000000040","test-overlay","1000000040","",""\r\n`,
  );
});

test("what is no case's number is none", () => {
  expect(readCaseId(String(caseIdOf(7, 123)))).toEqual({ job: 7, line: 123 });
  expect(["17", "x", "1e9", "99999999999999999999"].map(readCaseId)).toEqual(
    Array.from({ length: 4 }, () => undefined),
  );
});

const name = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom("yes", "1.3", "1.3.2", "0_t"));
const text = fc.oneof(
  name,
  fc.string({ unit: "binary" }),
  fc.constantFrom("null", "~", "2026-11-22", "0x1f", "1_000", "a: b", "a #b", "x:", "1:30", "-"),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(name, tie("value"), { maxKeys: 3 }),
  ),
}));

test("block style is read as the very value that was written", () => {
  fc.assert(
    fc.property(value, (one) => {
      // As a record of a log is: JSON, in which there is no -0.
      const plain: unknown = JSON.parse(JSON.stringify(one));
      const { value: read, problems } = readYaml(blockYaml(plain));
      expect(problems).toEqual([]);
      expect(read).toEqual(plain);
    }),
  );
});

test("what is nested without end is cut", () => {
  let deep: unknown = "x";
  for (let n = 0; n < 5000; n++) deep = [deep];
  expect(blockYaml(deep)).toContain("...");
  expect(pythonText(deep)).toContain("...");
});

test("a line of the log has Python's spaces, no zone, and is YAML", () => {
  const record = { dt: "2026-11-22T03:59:29.401197+00:00", lvl: "info", msg: "a\u0085\u001bb" };
  const line = logLine(record);
  expect(line).toBe(
    String.raw`{"dt": "2026-11-22T03:59:29.401197", "lvl": "info", "msg": "a\u0085\u001bb"}`,
  );
  expect(JSON.parse(line)).toMatchObject({ msg: record.msg });
  const result = logLine({ lvl: "results", msg: { case: "job", definition: "lava" } });
  expect(result).toBe('{"lvl": "results", "msg": {"case": "job", "definition": "lava"}}');
});

test("Python's quotes are those that Python takes", () => {
  expect(["it's", 'a"b', `it's "b"`, "a\\\n\u0001é"].map((one) => pythonText(one))).toEqual([
    `"it's"`,
    `'a"b'`,
    `'it\\'s "b"'`,
    String.raw`'a\\\n\x01é'`,
  ]);
  expect(pythonText({ a: [1.5, null, true] })).toBe("{'a': [1.5, None, True]}");
});
