import { describe, expect, test } from "vitest";
import { compareEcho, showsEnd } from "../../worker/console/echo.ts";

const LINE = "echo one two > /tmp/three";
const prompts = [/root@dut:~# /g];

describe("an echo", () => {
  test.each([
    ["as it was typed", LINE],
    [
      "broken by carriage return and line feed, as busybox and some loaders do",
      "echo one t\r\r\nwo > /tmp/three",
    ],
    [
      "with the character where the line wraps painted twice, as bash does",
      "echo one t\rtwo > /tmp/three",
    ],
    ["wrapped by a space and a carriage return", "echo one two  \r> /tmp/three"],
    ["broken at a space", "echo one \r\r\ntwo > /tmp/three"],
    ["with colours, questions and NULs", "\x1b[1mecho\x1b[0m one\x1b[6n two\0 > /tmp/three"],
    ["with a kernel message in it", "echo one t[   12.345678] usb 1-1: new\r\nwo > /tmp/three"],
    ["with a kernel message behind it", `${LINE}[   12.345678][    T1] usb 1-1: new\r\n`],
    ["with a message of a level in it", "echo one t<6>usb 1-1: new\r\nwo > /tmp/three"],
    ["behind a prompt that came late", `\r\nroot@dut:~# ${LINE}`],
    ["behind lines that came late", `done\r\n${LINE}`],
  ])("%s is whole", (_what, said) => {
    expect(compareEcho(said, LINE, prompts)).toBe("whole");
  });

  test.each([
    ["that lost a character", "echo on two > /tmp/three"],
    ["with one too many", "echo onee two > /tmp/three"],
    ["with one too many at its beginning", `e${LINE}`],
    ["with one too many at its end", `${LINE}e`],
    ["whose first part was executed", "echo one\r\none\r\nroot@dut:~#  two > /tmp/three"],
    ["with a message that nothing marks in it", "echo one tusb 1-1: new\r\nwo > /tmp/three"],
    ["from which a backspace took something", "echo onf\b \be two > /tmp/three"],
    ["behind what was not discarded", "echo on two > /tmp/threeecho one two > /tmp/three"],
  ])("%s is damaged", (_what, said) => {
    expect(compareEcho(said, LINE, prompts)).toBe("damaged");
  });

  test("is partial as long as what came of it fits, and none when nothing of it came", () => {
    expect(compareEcho("echo one", LINE)).toBe("partial");
    expect(compareEcho("", LINE)).toBe("none");
    expect(compareEcho("\r\nroot@dut:~# ", "#", prompts)).toBe("none");
    expect(compareEcho("login: ", LINE)).toBe("none");
  });

  test("of a line that is painted anew shows its end", () => {
    expect(showsEnd("\r< one two > /tmp/three", LINE, 8)).toBe(true);
    expect(
      showsEnd(
        "e two\r one two              <\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b > /tmp/three",
        LINE,
        8,
      ),
    ).toBe(true);
    expect(showsEnd("\r< one two > /tmp/tree", LINE, 8)).toBe(false);
  });
});
