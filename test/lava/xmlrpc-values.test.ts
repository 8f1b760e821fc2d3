import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { readCall } from "../../control-plane/lava/xmlrpc/read-call.ts";
import { faultXml, responseXml } from "../../control-plane/lava/xmlrpc/write-response.ts";
import type { XmlRpcValue } from "../../control-plane/lava/xmlrpc/xml-value.ts";
import { fc } from "../support/property.ts";
import { callXml, readAnswer } from "../support/xmlrpc-client.ts";

/** Text that XML can carry. */
const text = fc
  .string({ unit: "grapheme", maxLength: 30 })
  .map((one) => one.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, " "));
const valuesWith = (number: fc.Arbitrary<number>) =>
  fc.letrec<{ value: XmlRpcValue }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      text,
      number,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 40 }),
      fc
        .date({ min: new Date("1990-01-01"), max: new Date("2090-01-01"), noInvalidDate: true })
        .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000)),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(text, tie("value"), { maxKeys: 4 }),
    ),
  })).value;

const values = valuesWith(fc.oneof(fc.integer(), fc.maxSafeInteger()));
/** Python writes no whole number beyond 32 bits, though it reads them. */
const pythonValues = valuesWith(fc.integer());

const same = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_name, one: unknown) =>
      one instanceof Uint8Array ? [...one] : typeof one === "number" ? one + 0 : one,
    ),
  );

test("what is written is read as it was", () => {
  fc.assert(
    fc.property(values, (value) => {
      expect(same(readAnswer(responseXml(value)))).toEqual(same({ value }));
      expect(same(readCall(callXml("a.b", [value])).params)).toEqual(same([value]));
    }),
  );
});

test("Python's own client reads what is written and writes what is read", () => {
  const samples = fc.sample(pythonValues, 120);
  const program = [
    "import sys, json, xmlrpc.client as x",
    "for line in sys.stdin:",
    "    (value,), _ = x.loads(json.loads(line), use_builtin_types=True)",
    "    print(json.dumps(x.dumps((value,), 'back', allow_none=True)))",
  ].join("\n");
  const input = samples.map((value) => `${JSON.stringify(responseXml(value))}\n`).join("");
  const said = execFileSync("python3", ["-c", program], { input, encoding: "utf8" });
  const back = said
    .trim()
    .split("\n")
    .map((line) => readCall(String(JSON.parse(line))).params[0]);
  // It writes text as it is, also a carriage return, of which a reader may make a line feed; ours keeps it.
  expect(same(back)).toEqual(same(samples));
});

test("a fault is read by Python's client as one", () => {
  const program =
    "import sys, xmlrpc.client as x\ntry: x.loads(sys.stdin.read())\nexcept x.Fault as f: print(f.faultCode, f.faultString)";
  const input = faultXml(404, "Job '9' was not found. <&>");
  const said = execFileSync("python3", ["-c", program], { input, encoding: "utf8" });
  expect(said).toBe("404 Job '9' was not found. <&>\n");
});

test("escape characters of a console do not make an answer that nobody can read", () => {
  expect(readAnswer(responseXml("\u001b[31mred\u0000"))).toEqual({ value: "\ufffd[31mred\ufffd" });
});

describe("a request is refused that", () => {
  const call = (inner: string) =>
    `<methodCall><methodName>m</methodName><params><param>${inner}</param></params></methodCall>`;
  const deep = (depth: number) =>
    call(
      `${"<value><array><data>".repeat(depth)}<value>x</value>${"</data></array></value>".repeat(depth)}`,
    );
  test.each([
    ["has a document type", `<!DOCTYPE x [<!ENTITY a "b">]>${call("<value>&a;</value>")}`, /type/],
    ["has an entity of its own", call("<value>&a;</value>"), /Invalid character entity/],
    ["is no XML", "hello", /Non-whitespace|Unable/],
    ["is empty but for a space", " ", /expected a methodCall/],
    ["is cut off", call("<value>x</value>").slice(0, -9), /Unclosed|Unable/],
    ["has tags crossed", "<methodCall><params></methodCall></params>", /Unexpected close tag/],
    ["has an element out of place", call("<value><param/></value>"), /<param> in <value>/],
    ["has a number that is none", call("<value><int>x</int></value>"), /<int> with "x"/],
    ["has two values in one", call("<value><int>1</int><int>2</int></value>"), /without one value/],
    ["has base64 that is none", call("<value><base64>?</base64></value>"), /base64/],
    [
      "has a time that is none",
      call("<value><dateTime.iso8601>20261399T00:00:00</dateTime.iso8601></value>"),
      /dateTime/,
    ],
    ["is too deep", deep(100), /too deep/],
    [
      "has too many values",
      call(`<value><array><data>${"<value/>".repeat(60_000)}</data></array></value>`),
      /too many/,
    ],
    ["names no method", "<methodCall><params/></methodCall>", /methodName/],
  ])("%s", (_name, xml, why) => {
    expect(() => readCall(xml)).toThrow(why);
    expect(() => readCall(xml)).toThrow(/^Unable to decode request: /);
  });

  test("values are deep enough for every call that there is", () => {
    expect(() => readCall(deep(20))).not.toThrow();
  });
});
