import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runPowerCommand } from "../../worker/drivers/power/power-command.ts";
import { methodPage } from "../support/method-page.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { startFileShelf } from "./file-shelf.ts";
import { cannotStart, start, type PowerBed } from "./power.ts";

const problem = cannotStart();
if (problem) console.warn(`skipped: ${problem}`);

describe.skipIf(problem)("a board behind pdudaemon", () => {
  let folder: string;
  let bed: PowerBed;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "pumice-power-"));
    bed = await start(folder);
  });
  afterAll(async () => {
    await bed.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const onThisBed = (page: string): string =>
    page
      .replace("rack.example.com:7001", `127.0.0.1:${bed.consolePort}`)
      .replaceAll("http://daemon.example.com:16421", bed.daemon);
  const relays = (): string[] => readFileSync(bed.relayLog, "utf8").trim().split("\n");

  test("is reset for a boot, and the relay is undone at the job's end", async () => {
    const page = methodPage("command");
    const dictionary = onThisBed(page.dictionary);
    const { outcome, results, text } = await runOnBed({ job: page.job, dictionary });
    expect(outcome, text).toMatchObject({ result: "pass" });
    const names = results.map(({ case: name, result }) => `${String(name)} ${String(result)}`);
    expect(names).toContain("pdu-reboot pass");
    expect(names).toContain("power-off pass");
    expect(text).toMatch(/U-Boot 20\d\d/);
    // The daemon obeys later than it answers.
    await expect.poll(relays).toEqual(["on 2", "off 2"]);
  });

  test("boots again in the next job, from off to on", async () => {
    const page = methodPage("command");
    const dictionary = onThisBed(page.dictionary);
    const { outcome, text } = await runOnBed({ job: page.job, dictionary });
    expect(outcome, text).toMatchObject({ result: "pass" });
  });

  test.each(["boot-recovery", "deploy-recovery"])(
    "is taken into recovery and back by the job of %s",
    async (name) => {
      const page = methodPage(name);
      const image = path.join(folder, "image");
      writeFileSync(image, "an image");
      const shelf = await startFileShelf({ MLO: image, "u-boot.img": image });
      const told = relays().length;
      try {
        const { outcome, text } = await runOnBed({
          job: page.job.replaceAll("http://files.example.com/", shelf.url),
          dictionary: onThisBed(page.dictionary),
        });
        expect(outcome, text).toMatchObject({ result: "pass" });
        await expect.poll(() => relays().slice(told)).toEqual(["on 3", "off 3"]);
      } finally {
        await shelf.close();
      }
    },
  );

  test("has no switch of another name", async () => {
    const words = ["pdudaemon", `${bed.daemon}/nobody`, "1", "on"];
    const io = { signal: new AbortController().signal, say: () => {} };
    await expect(runPowerCommand(words, io)).rejects.toThrow(
      /power\/control\/on: 500 Invalid request/,
    );
  });
});
