import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VERSION } from "#protocol/version.ts";

test("the programs' version is package.json's", () => {
  const file = new URL("../../package.json", import.meta.url);
  expect(VERSION).toBe((JSON.parse(readFileSync(file, "utf8")) as { version: string }).version);
});
