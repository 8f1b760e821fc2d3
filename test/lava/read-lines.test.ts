import { describe, expect, test } from "vitest";
import { readLines } from "../../control-plane/lava/stock-worker/read-lines.ts";

const NOW = "2026-11-22T00:00:00.000Z";
const DT = "2026-11-21T02:29:58.117170";

describe("the lines of lava-run", () => {
  test("are records of our log, with the zone of their times", () => {
    const text = `- {"dt": "${DT}", "lvl": "info", "msg": "one"}\n- {"dt": "${DT}", "lvl": "feedback", "msg": "two", "ns": "dut"}`;
    expect(readLines(text, NOW)).toEqual([
      { dt: `${DT}+00:00`, lvl: "info", msg: "one" },
      { dt: `${DT}+00:00`, lvl: "feedback", msg: "two", ns: "dut" },
    ]);
  });

  test("are read with their tags, and results get the types of ours", () => {
    const text = `- {"dt": "${DT}", "lvl": "results", "msg": {"definition": "0_x", "case": "c", "result": "pass", "starttc": ! "12", "endtc": "14", "level": ! "1.4", "measurement": ! "12.5", "units": ! "null"}}`;
    expect(readLines(text, NOW)[0]?.msg).toEqual({
      ...{ definition: "0_x", case: "c", result: "pass" },
      ...{ starttc: 12, endtc: 14, level: "1.4", measurement: 12.5 },
    });
  });

  test("that are no records become records that say so: those after them keep their numbers", () => {
    const text = ["- nonsense: [", `- {"msg": "no level"}`, `- {"lvl": "info", "msg": "good"}`];
    expect(readLines(text.join("\n"), NOW)).toEqual([
      expect.objectContaining({
        lvl: "warning",
        msg: expect.stringContaining("dropped") as string,
      }),
      expect.objectContaining({ lvl: "warning" }),
      { dt: NOW, lvl: "info", msg: "good" },
    ]);
  });

  test("may go on in the next line, as YAML's may", () => {
    const text = `- {"lvl": "info",\n   "msg": "folded"}\n- {lvl: debug, msg: plain}`;
    expect(readLines(text, NOW).map(({ msg }) => msg)).toEqual(["folded", "plain"]);
  });

  test("that are too long are dropped with a word", () => {
    const [record] = readLines(`- {"lvl": "info", "msg": "${"x".repeat(200_000)}"}`, NOW);
    expect(record?.msg).toMatch(/^Pumice: 2000\d\d characters of the log were dropped/);
  });

  test("with a result that is too long keep what matters of it", () => {
    const extra = "y".repeat(50_000);
    const msg = `{"definition": "0_x", "case": "c", "result": "fail", "extra": "${extra}"}`;
    const [record] = readLines(`- {"lvl": "results", "msg": ${msg}}`, NOW);
    expect(record?.msg).toEqual({ definition: "0_x", case: "c", result: "fail" });
  });

  test("are none where there is nothing", () => {
    expect(readLines("", NOW)).toEqual([]);
  });
});
