import { expect, test } from "vitest";
import { decodeAnswer, encodeCall } from "../../../control-plane/cli/import-lava/xmlrpc.ts";
import { fc } from "../../support/property.ts";
import { aFault, anAnswer } from "../../support/recorded-lava.ts";

const read = (value: string) => {
  const answer = decodeAnswer(anAnswer(value));
  return "value" in answer ? answer.value : answer;
};

test("a call says its method and what it is given, with what XML needs escaped", () => {
  expect(encodeCall("scheduler.devices.show", ["a<b>&c", true, null])).toBe(
    '<?xml version="1.0"?><methodCall><methodName>scheduler.devices.show</methodName><params>' +
      "<param><value><string>a&lt;b&gt;&amp;c</string></value></param>" +
      "<param><value><boolean>1</boolean></value></param>" +
      "<param><value><nil/></value></param></params></methodCall>",
  );
});

test("values of every type are read", () => {
  expect(read("<int>-3</int>")).toBe(-3);
  expect(read("<i4>4</i4>")).toBe(4);
  expect(read("<double>1.5</double>")).toBe(1.5);
  expect(read("<boolean>0</boolean>")).toBe(false);
  expect(read("<nil/>")).toBe(null);
  expect(read("<string>a &lt;b&gt; &amp;amp; &#233;&#x1F600;&quot;</string>")).toBe(
    'a <b> &amp; é😀"',
  );
  expect(read("<string/>")).toBe("");
  expect(read("<string>  two\n lines </string>")).toBe("  two\n lines ");
  expect(read(" text without a type ")).toBe(" text without a type ");
  expect(read("")).toBe("");
  expect(read("<dateTime.iso8601>20261121T02:25:03</dateTime.iso8601>")).toBe("20261121T02:25:03");
  expect(read("<base64>\naGVs\nbG8=\n</base64>")).toEqual(Buffer.from("hello"));
  expect(read("<array><data/></array>")).toEqual([]);
  expect(
    read(
      "<array><data>\n<value><int>1</int></value>\n<value><array><data>\n</data></array></value>\n</data></array>",
    ),
  ).toEqual([1, []]);
  expect(read("<struct>\n</struct>")).toEqual({});
  const proto = read(
    "<struct><member><name>__proto__</name><value><int>1</int></value></member></struct>",
  );
  expect(Object.entries(proto as object)).toEqual([["__proto__", 1]]);
});

test("a fault is no value", () => {
  expect(decodeAnswer(aFault(404, "Device 'x' was not found."))).toEqual({
    fault: { code: 404, message: "Device 'x' was not found." },
  });
});

test("what is no answer is refused with what was expected", () => {
  expect(() => decodeAnswer("<html><body>hello</body></html>")).toThrow(
    "expected <methodResponse>, found <html>",
  );
  expect(() => decodeAnswer("")).toThrow("found the end");
  expect(() => decodeAnswer(anAnswer("<int>1</int>").slice(0, -60))).toThrow(/^expected </);
  expect(() => read("<string>&xxe;</string>")).toThrow("the entity &xxe; is not known");
  expect(() => read("<string>&#x7fffffff;</string>")).toThrow("is not known");
  expect(() => read("<object>1</object>")).toThrow("expected a type of XML-RPC");
  expect(() => decodeAnswer(`<!DOCTYPE x [<!ENTITY a "b">]>${anAnswer("")}`)).toThrow("expected");
});

test("depth is bounded", () => {
  const deep = (n: number) =>
    "<array><data><value>".repeat(n) + "</value></data></array>".repeat(n);
  expect(() => read(deep(40))).not.toThrow();
  expect(() => read(deep(100_000))).toThrow("nested deeper");
});

test("whatever stands there ends in a value or an Error", () => {
  const pieces = fc.array(
    fc.constantFrom(
      ..."<value> </value> <array> <data> </data> </array> <struct> <member> <name> </name> </member> </struct> <int> </int> 1 <nil/> & &amp; < > a".split(
        " ",
      ),
    ),
  );
  fc.assert(
    fc.property(pieces, (all) => {
      try {
        read(all.join(""));
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect(error).not.toBeInstanceOf(TypeError);
      }
    }),
  );
});
