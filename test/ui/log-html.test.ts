import { describe, expect, test } from "vitest";
import { LOG_LEVELS } from "#protocol/log-record.ts";
import { ansiHtml, plainHtml } from "../../control-plane/ui/ansi.ts";
import { BLOCK_LINES, lineHtml, logHtml } from "../../control-plane/ui/log-html.ts";
import { fc } from "../support/property.ts";

const ESC = "\u001b";
const textOf = (html: string): string => html.replace(/<[^>]*>/g, "");
const target = (msg: unknown) => ({ dt: "2026-03-01T12:34:56.000000+00:00", lvl: "target", msg });

describe("a line of the log", () => {
  test("counts from one, links to itself and has the time of day", () => {
    expect(lineHtml(target("hello"), 41)).toBe(
      '<div class="line target" id="L42"><a href="#L42">42</a><time>12:34:56</time><span>hello</span></div>',
    );
  });

  test("of every level has the level as its class, and an unknown level that of info", () => {
    for (const lvl of LOG_LEVELS) {
      expect(lineHtml({ dt: "", lvl, msg: "x" }, 0)).toContain(`class="line ${lvl}"`);
    }
    for (const lvl of ['"><script>', "toString", undefined]) {
      expect(lineHtml({ dt: "", lvl, msg: "x" }, 0)).toContain('class="line info"');
    }
  });

  test("that is a result names suite, case and measurement", () => {
    const msg = {
      definition: "0_smoke",
      case: "<b>",
      result: "fail",
      measurement: 3,
      units: "MB/s",
    };
    expect(lineHtml({ dt: "", lvl: "results", msg }, 0)).toContain(
      '<b class="result fail">fail</b> 0_smoke / &lt;b&gt;<i> 3 MB/s</i>',
    );
  });

  test("has no markup but ours, whatever it says", () => {
    const ours = /<\/?(?:div|a|time|span|b|i)(?: (?:class|id|href)="[\w #-]*")*>/g;
    const hostile = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "<script>alert(1)</script>",
        `${ESC}[31m<img src=x onerror=a>`,
        '"><b onload=x>',
        `${ESC}]0;<`,
      ),
      fc
        .array(
          fc.constantFrom(ESC, "[", "3", "1", ";", "m", "<", ">", '"', "'", "&", "\u0007", "a"),
          { maxLength: 40 },
        )
        .map((parts) => parts.join("")),
    );
    const record = fc.record({
      dt: fc.oneof(fc.constant("2026-03-01T12:34:56"), hostile, fc.integer()),
      lvl: fc.oneof(fc.constantFrom(...LOG_LEVELS), hostile),
      msg: fc.oneof(
        hostile,
        fc.record({
          definition: hostile,
          case: hostile,
          result: hostile,
          measurement: hostile,
          error_msg: hostile,
        }),
        fc.array(hostile),
        fc.constant(null),
      ),
      ns: hostile,
    });
    fc.assert(
      fc.property(record, (one) => {
        const rest = lineHtml(one, 0).replace(ours, "");
        expect(rest).not.toMatch(/[<>"']/);
      }),
      { numRuns: 500 },
    );
  });

  test("comes in blocks of a size", () => {
    const html = logHtml(
      Array.from({ length: BLOCK_LINES + 1 }, () => target("x")),
      0,
    );
    expect(html.match(/class="block"/g)).toHaveLength(2);
    expect(html).toContain(`id="L${BLOCK_LINES + 1}"`);
  });
});

describe("console output", () => {
  test.each([
    [`${ESC}[0;32mOK${ESC}[0m done`, '<b class="f2">OK</b> done'],
    [`${ESC}[1;31;47mx`, '<b class="bold f1 k7">x</b>'],
    [`${ESC}[1mx${ESC}[22my`, '<b class="bold">x</b>y'],
    [`${ESC}[95mx${ESC}[39my`, '<b class="f13">x</b>y'],
    [`${ESC}[38;5;196mx`, '<b class="f9">x</b>'],
    [`${ESC}[38;2;10;10;10mx${ESC}[38;5;244my`, '<b class="f0">x</b><b class="f8">y</b>'],
    ["[0;32mOK[0m without the escape", '<b class="f2">OK</b> without the escape'],
    [`${ESC}[2J${ESC}[1;1H${ESC}[?25hx${ESC}]0;title\u0007y`, "xy"],
    ["a\r", "a"],
    ["bell \u0007 and \u202e", "bell \u2407 and \ufffd"],
    ["rate(x[5m]) [mem 0x0] [30m]", "rate(x[5m]) [mem 0x0] [30m]"],
  ])("%j becomes %s", (text, html) => {
    expect(ansiHtml(text)).toBe(html);
  });

  test("loses no text to colours, in time that grows with its length", () => {
    const text = `${ESC}[31m<&>`.repeat(20_000);
    expect(textOf(ansiHtml(text))).toBe("&lt;&amp;&gt;".repeat(20_000));
    expect(ansiHtml("[".repeat(100_000))).toHaveLength(100_000);
    expect(ansiHtml(`${ESC}[${";1".repeat(50_000)}`).slice(0, 4)).toBe("\u241b[;1");
    expect(plainHtml("a\nb")).toBe("a\nb");
  });
});
