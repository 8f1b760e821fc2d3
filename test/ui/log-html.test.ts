import { describe, expect, test } from "vitest";
import { LOG_LEVELS } from "#protocol/log-record.ts";
import { lineText } from "#protocol/log-text.ts";
import { ansiHtml, plainHtml } from "../../control-plane/ui/ansi.ts";
import { lineHtml } from "../../control-plane/ui/log-html.ts";
import { fc } from "../support/property.ts";

const ESC = "\u001b";
const textOf = (html: string): string => html.replace(/<[^>]*>/g, "");
const unescaped = (html: string): string =>
  html
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
const target = (msg: unknown) => ({ dt: "2026-03-01T12:34:56.000000+00:00", lvl: "target", msg });

describe("a line of the log", () => {
  test("counts from one, links to itself and has the time of day", () => {
    expect(lineHtml(target("hello"), 41)).toBe(
      '<div class="line target" id="L42"><a href="#L42" tabindex="-1">42</a><time>12:34:56</time><span>hello</span></div>',
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
    const ours = /<\/?(?:div|a|time|span|b|i)(?: (?:class|id|href|tabindex)="[\w #?=&;-]*")*>/g;
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

  test("that is very long is cut, with the way to the whole of it", () => {
    const html = lineHtml(target(`<${"x".repeat(1_000_000)}`), 41, "/log?format=text&");
    expect(html.length).toBeLessThan(5000);
    expect(html).toContain('<a class="rest" href="/log?format=text&amp;start=41&amp;end=42">');
    expect(html).toContain("… 996001 more characters");
  });

  test("has the text that is searched", () => {
    const record = fc.record({
      lvl: fc.constantFrom(...LOG_LEVELS),
      msg: fc.oneof(
        fc.string({ unit: "binary" }),
        fc.constantFrom(`a\r\n${ESC}[31mred${ESC}[0m & <b>`, "[0;32mOK[0m", "bell \u0007 \u202e"),
        fc.record({ definition: fc.string(), case: fc.string(), result: fc.string() }),
      ),
      ns: fc.option(fc.string(), { nil: undefined }),
    });
    fc.assert(
      fc.property(record, (one) => {
        const message = /<span>(.*)<\/span>/su.exec(lineHtml(one, 0))?.[1] ?? "";
        expect(unescaped(textOf(message))).toBe(lineText(one));
      }),
      { numRuns: 500 },
    );
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
