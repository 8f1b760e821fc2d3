import { describe, expect, test } from "vitest";
import { journalSum } from "../../../worker/actions/test/journal-lines.ts";
import { mendedLine, TAIL_END } from "../../../worker/actions/test/mended-line.ts";

const ID = "4711";
const text = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>";
const printed = `${text} ~${ID}.5.${journalSum(`${ID}.5 ${text}`)}~`;

/** With something in it, at each place in turn. */
const withInside = (inserted: string): string[] =>
  Array.from({ length: printed.length - 2 }, (_, at) => {
    const place = at + 1;
    return printed.slice(0, place) + inserted + printed.slice(place);
  });

describe("a line of the journal that was torn", () => {
  test.each([
    "[   12.345678] usb 1-1: new device\r\n",
    "\r\n[   12.345678][    T1] <critical> trip\r\n",
    "<6>[   12.345678] cpufreq: 1200000 kHz > max\n",
    "<4>random: crng init done\r\r\n",
    "\u001b[1;32m",
    "\u001b]0;title\u0007",
    "\0\0",
    "\ufffd",
    "\r\n",
  ])("is whole without what was printed into it, wherever that was: %j", (inserted) => {
    for (const said of withInside(inserted)) {
      expect(mendedLine(`some words\r\n${said}`), said).toEqual({ id: ID, number: 5, text });
    }
  });

  test("may have been torn more than once", () => {
    const torn = printed
      .replace("TEST", "TE[   12.345678] usb 1-1: new\r\nST")
      .replace(".5.", ".\r\n[   12.345679] usb 1-2: new\r\n5\0.");
    expect(mendedLine(torn)).toEqual({ id: ID, number: 5, text });
  });

  test.each([
    ["a message that is not known for one", "usb 1-1: new device\r\n"],
    ["a message that is damaged itself", "[   12.34x678] usb 1-1: new device\r\n"],
    ["one more character", "x"],
  ])("is not believed with %s in it", (_, inserted) => {
    for (const said of withInside(inserted)) expect(mendedLine(said), said).toBeUndefined();
  });

  test("is looked for behind the last tail of each line", () => {
    const ends = [...`~~~~\r\nx ~1.2.3-4~ and~ more\r\n${printed}`.matchAll(TAIL_END)];
    expect(ends.map(({ index }) => index)).toEqual([3, 21]);
  });
});
