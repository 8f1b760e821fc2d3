import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cli } from "../support/cli-run.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-render-"));
  mkdirSync(path.join(dir, "own"));
  mkdirSync(path.join(dir, "stock"));
  const board = "{% extends 'base.jinja2' %}\n{% set console = console | default('ttyS0') %}\n";
  writeFileSync(path.join(dir, "stock/board.jinja2"), board);
  writeFileSync(path.join(dir, "stock/base.jinja2"), "console: {{ console }}\nfrom: stock\n");
  writeFileSync(path.join(dir, "dut-1.jinja2"), "{% extends 'board.jinja2' %}\n{% set x = 1 %}\n");
});
afterAll(() => rmSync(dir, { recursive: true }));

const file = (name: string): string => path.join(dir, name);
const stock = (): string[] => ["--templates", file("stock")];

test("a dictionary is rendered with the templates of the folders that are named", async () => {
  const { code, out } = await cli(["render", file("dut-1.jinja2"), ...stock()]);
  expect(code).toBe(0);
  expect(out).toBe("console: ttyS0\nfrom: stock\n");
});

test("a job's context overrides what templates only default, and the first folder wins", async () => {
  writeFileSync(file("own/base.jinja2"), "console: {{ console }}\nfrom: own\n");
  const args = ["render", file("dut-1.jinja2"), "--templates", file("own"), ...stock()];
  const { out } = await cli([...args, "--context", "{console: ttyAMA0}", "--json"]);
  expect(JSON.parse(out)).toEqual({ console: "ttyAMA0", from: "own" });
});

test("what is wrong is said with file and line", async () => {
  writeFileSync(file("dut-2.jinja2"), "{% extends 'board.jinja2' %}\n{% set y = x.z %}\n");
  const wrong = await cli(["render", file("dut-2.jinja2"), ...stock()]);
  expect(wrong).toMatchObject({ code: 2, said: `${file("dut-2.jinja2")}:2: x is undefined\n` });
  const unknown = await cli(["render", file("dut-1.jinja2")]);
  expect(unknown.code).toBe(2);
  expect(unknown.said).toContain('"board.jinja2": there is no such template');
});

test("--origins tells for each value which line of which template set it", async () => {
  writeFileSync(
    file("dut-3.jinja2"),
    "{% extends 'board.jinja2' %}\n{% set console = 'ttyS7' %}\n",
  );
  const args = ["render", file("dut-3.jinja2"), ...stock(), "--origins"];
  const { code, out } = await cli(args);
  expect(code).toBe(0);
  expect(out).toBe('console: "ttyS7"  # dut-3.jinja2:2 console\nfrom: "stock"  # base.jinja2:2\n');
  const { out: json } = await cli([...args, "--json"]);
  expect(JSON.parse(json)).toMatchObject({
    configuration: { console: "ttyS7" },
    origins: { console: { template: "dut-3.jinja2", line: 2, variable: "console" } },
  });
});

test("without --templates Pumice's own device types are found", async () => {
  writeFileSync(file("bbb-01.jinja2"), "{% extends 'beaglebone-black.jinja2' %}\n");
  const { code, out } = await cli(["render", file("bbb-01.jinja2"), "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    actions: { boot: { methods: { "u-boot": { parameters: { bootloader_prompt: "U-Boot" } } } } },
  });
});
