import { describe, expect, test } from "vitest";
import { findItem, menuLayout, readMenu } from "../../../worker/actions/bootloader/menu-layout.ts";

const arm = {
  item_markup: ["[", "]"],
  item_class: "0-9",
  separator: " ",
  label_class: "a-zA-Z0-9\\s\\:",
};
const keys = (text: string, parameters: Record<string, unknown> = arm): Record<string, string> =>
  Object.fromEntries(readMenu(text, menuLayout(parameters)).map(({ key, label }) => [label, key]));

describe("a menu with numbered items", () => {
  test("is read from what the firmware prints, whatever stands around it", () => {
    const text =
      "The default boot selection will start in  9 seconds\r\n" +
      "[1] Shell\r\n[2] Boot Manager\r\n[10] TFTP on MAC Address: 00:01:73:69:5A:EF\r\n";
    expect(keys(text)).toEqual({
      Shell: "1",
      "Boot Manager": "2",
      "TFTP on MAC Address: 00:01:73:69:5A:EF": "10",
    });
  });

  test("is read through colours and a cursor that is moved to each line", () => {
    const text =
      "\x1b[2J\x1b[01;01H\x1b[1m[1] Shell\x1b[0m\x1b[02;01H\x1b[1;37;40m[2] Boot Manager";
    expect(keys(text)).toEqual({ Shell: "1", "Boot Manager": "2" });
  });

  test("has other marks where the device says so, and they are text, not expressions", () => {
    const parameters = { item_markup: ["(*", ".)"], item_class: "a-z", separator: ". " };
    expect(keys("(*b.). Boot (fast)\n(b.). no\n", parameters)).toEqual({ "Boot (fast)": "b" });
  });

  test("names an item by its label alone, or with what is written behind it", () => {
    const items = readMenu("[1] NOR Flash (63 MB)\r\n", menuLayout(arm));
    expect(findItem(items, "NOR Flash")?.key).toBe("1");
    expect(findItem(items, "NOR Flash (63 MB)")?.key).toBe("1");
    expect(findItem(items, "NOR")).toBeUndefined();
  });

  test("forgives upper and lower case, but only where nothing is written exactly so", () => {
    const items = readMenu("[1] Return to main menu\n[2] return to MAIN menu\n", menuLayout(arm));
    expect(findItem(items, "Return to main menu")?.key).toBe("1");
    expect(findItem(items, "return to MAIN menu")?.key).toBe("2");
    expect(findItem(items, "Return to Main Menu")?.key).toBe("2");
  });

  test("counts as it was drawn last", () => {
    const items = readMenu("[1] A\n[2] B\nStart: 7\n[1] B\n[2] A\n", menuLayout(arm));
    expect(findItem(items, "A")?.key).toBe("2");
  });
});

describe("a device's parameters", () => {
  test("without any are those of ARM's firmware", () => {
    expect(keys("[3] Boot Manager\r\n", {})).toEqual({ "Boot Manager": "3" });
  });

  test("with a class that is no expression are refused with LAVA's type", () => {
    expect(() => menuLayout({ item_class: "z-a" })).toThrow(/Invalid regular expression/);
  });

  test("with three marks are refused", () => {
    expect(() => menuLayout({ item_markup: ["[", "]", "!"] })).toThrow(/expected two texts/);
  });
});
