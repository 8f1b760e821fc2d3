import { describe, expect, test } from "vitest";
import { journalSum } from "../../../worker/actions/test/journal-lines.ts";
import {
  answerLines,
  dutCall,
  pairsText,
  PLAIN_CALL,
  readPairs,
} from "../../../worker/actions/test/multinode-words.ts";
import { fc } from "../../support/property.ts";
import { acked } from "../../support/stand-in-group.ts";

describe("a question of the DUT to its group", () => {
  test.each([
    ["<LAVA_SEND id>", { op: "send", id: "id", data: new Map() }, "multinode-send-id"],
    ["<LAVA_WAIT a-b.c>", { op: "wait", id: "a-b.c" }, "multinode-wait-a-b.c"],
    ["<LAVA_WAIT_ALL x>", { op: "wait-all", id: "x", role: undefined }, "multinode-wait_all-x"],
    ["<LAVA_WAIT_ALL x y>", { op: "wait-all", id: "x", role: "y" }, "multinode-wait_all-x"],
    ["<LAVA_SYNC s>", { op: "sync", id: "s" }, "multinode-sync-s"],
  ])("is read from %s", (text, call, caseName) => {
    expect(dutCall(text)).toMatchObject({ call, caseName });
  });

  test.each(["<LAVA_WAIT >", "<LAVA_SHOUT id>", "<LAVA_SIGNAL_STARTRUN 0_a 1>", "LAVA_WAIT id"])(
    "is not read from %s",
    (text) => expect(dutCall(text)).toBeUndefined(),
  );

  test("has values that go on up to the next key", () => {
    expect([...readPairs("a=1 b=two  words c= d=e=f stray")]).toEqual([
      ["a", "1"],
      ["b", "two  words"],
      ["c", ""],
      ["d", "e=f stray"],
    ]);
    expect(readPairs("no pairs at all").size).toBe(0);
  });

  test("that no helper asked has the whole of LAVA's words, and no tail", () => {
    const found = (line: string) => [...line.matchAll(PLAIN_CALL)].map(([, text]) => text);
    expect(found("<LAVA_MULTI_NODE> <LAVA_SYNC s>\n")).toEqual(["<LAVA_SYNC s>"]);
    expect(found("<LAVA_MULTI_NODE> <LAVA_SYNC s> ~4.5.6-7~\n")).toEqual([]);
    expect(found("+ echo '<LAVA_MULTI_NODE> <LAVA_SYNC s>'\n")).toEqual([]);
    expect(found("<LAVA_SYNC s>\n<LAVA_MULTI_NODE> <LAVA_WAIT_DEBUG x>\n")).toEqual([]);
  });
});

describe("an answer to the DUT", () => {
  test("has LAVA's words, and where there is no journal LAVA's empty line", () => {
    const data = acked({ "12": { a: "1", b: "two words" }, "13": { a: "3" } });
    const said = "12:a=1 12:b=two words 13:a=3";
    expect(answerLines("WAIT", data, undefined)).toEqual([`<LAVA_WAIT_COMPLETE ${said}>`, ""]);
    expect(answerLines("SYNC", acked({}), undefined)).toEqual(["<LAVA_SYNC_COMPLETE>", ""]);
    const nack = { kind: "nack", message: "nobody" } as const;
    expect(answerLines("WAIT_ALL", nack, undefined)).toEqual(["<LAVA_WAIT_ALL_COMPLETE nack>", ""]);
    const line = `<LAVA_WAIT_COMPLETE ${said}>`;
    expect(answerLines("WAIT", data, 5)).toEqual([`${line} ~${journalSum(`5 ${line}`)}~`]);
  });

  test("is whole in its parts, however long, and no line is longer than a terminal takes", () => {
    const value = fc.stringMatching(/^[ -=?-~]{0,3000}$/);
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), value), (pairs) => {
        const answer = acked({ "8": pairs });
        const lines = answerLines("WAIT", answer, 7);
        expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(250);
        const parts = lines.map((line) => /^<LAVA_WAIT_PART \d+ (.*)> ~/.exec(line)?.[1] ?? "");
        const [single = ""] = lines;
        const said =
          lines.length > 1
            ? parts.join("")
            : (/^<LAVA_WAIT_COMPLETE ?(.*)> ~/.exec(single)?.[1] ?? "");
        expect(said).toBe(answer.kind === "ack" ? pairsText(answer.data) : "");
      }),
    );
  });
});
