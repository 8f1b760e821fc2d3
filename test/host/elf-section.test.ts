import { closeSync, openSync, readSync } from "node:fs";
import { expect, test } from "vitest";
import { findSection } from "../../worker/host/elf-section.ts";

test("a section of a program is found: that which names its loader", () => {
  const { offset, bytes } = findSection(process.execPath, ".interp")!;
  const name = Buffer.alloc(bytes);
  const program = openSync(process.execPath, "r");
  readSync(program, name, 0, bytes, offset);
  closeSync(program);
  expect(name.toString()).toMatch(/^\/lib[\w/.-]+\0$/);
});

test("one that is not there, and any other file, has none", () => {
  expect(findSection("/proc/self/exe", ".inter")).toBeUndefined();
  expect(findSection("/proc/self/exe", ".nothing")).toBeUndefined();
  expect(findSection(import.meta.filename, ".text")).toBeUndefined();
  expect(findSection("/dev/null", ".text")).toBeUndefined();
});
