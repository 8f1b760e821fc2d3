import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { thirdPartyNotices } from "../../scripts/third-party-notices.ts";
import { workerProgram } from "../support/worker-program.ts";

/** What esbuild says of a bundle with bytes of these files in it. */
const aBundle = (files: Record<string, number>) => {
  const used = Object.entries(files).map(([file, bytesInOutput]) => [file, { bytesInOutput }]);
  const inputs = Object.fromEntries(used) as Record<string, { bytesInOutput: number }>;
  return { inputs: {}, outputs: { "x.mjs": { bytes: 1, inputs, imports: [], exports: [] } } };
};

describe("the notices of a bundle", () => {
  test("have our own licence and that of each package whose code is in it, once and by name", async () => {
    const bundles = [
      aBundle({
        "worker/main.ts": 5,
        "node_modules/yaml/dist/a.js": 3,
        "node_modules/sax/b.js": 0,
      }),
      aBundle({ "node_modules/@xterm/xterm/lib/c.js": 1, "node_modules/yaml/dist/d.js": 3 }),
    ];
    const text = await thirdPartyNotices(bundles);
    expect(text.match(/(?<=^={80}\n)\S+(?= \S+ \(|\n)/gm)).toEqual([
      "Pumice",
      "@xterm/xterm",
      "yaml",
    ]);
    expect(text).toContain("Copyright Eemeli Aro");
    expect(text).toContain("Apache License");
  });

  test("have a licence that is only in the package's README", async () => {
    const text = await thirdPartyNotices([aBundle({ "node_modules/net-snmp/index.js": 1 })]);
    expect(text).toMatch(/Stephen Vickers[^]*Permission is hereby granted[^]*THE SOFTWARE\.\n$/);
  });

  test("refuse a package without a licence's text", async () => {
    const bundle = aBundle({ "node_modules/@oven/bun-linux-x64/x.js": 1 });
    await expect(thirdPartyNotices([bundle])).rejects.toThrow(/comes without its licence's text/);
  });
});

describe("pumice-worker licences", () => {
  let program: Awaited<ReturnType<typeof workerProgram>>;
  const notices = [{ name: "A runtime", text: "whose licence is long ".repeat(20_000) }];
  beforeAll(async () => {
    program = await workerProgram({ notices });
  });
  afterAll(() => program.remove());

  test("prints what is in the file, which needs nothing beside it", () => {
    const said = execFileSync(process.execPath, [program.file, "licences"], { encoding: "utf8" });
    expect(said).toMatch(/^=+\nPumice\n=+\n/);
    expect(said).toMatch(/\nvalibot [\d.]+ \(MIT\)\n=+\n\nMIT License/);
    expect(said).toMatch(/A runtime\n=+\n\n(whose licence is long ?){20000}\n$/);
  });
});
