import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, realpathSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import type { BedRan } from "../support/run-on-bed.ts";
import { containerBench } from "./container-bench.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";

const bench = await containerBench("podman");

let shelf: FileShelf | undefined;
beforeAll(async () => {
  const guest = await makeGuest(() => {}, "amd64");
  shelf = await startFileShelf({
    vmlinuz: path.join(guest, "vmlinuz"),
    "initramfs.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
  });
});
afterAll(async () => {
  await shelf?.close();
});
bench.use();

async function runPage(
  name: string,
  change: (job: string) => string = (job) => job,
): Promise<BedRan> {
  const page = methodPage(name);
  return bench.run({
    job: change(page.job.replaceAll("http://files.example.com/", shelf?.url ?? "")),
    dictionary: page.dictionary,
    dispatcher: { dispatcher_ip: "10.0.2.2" },
  });
}

describe("downloads", () => {
  test("are changed by steps in a container, and used by the next deployment", async () => {
    const ran = await runPage("deploy-downloads");
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(ran.results).toContainEqual(
      expect.objectContaining({ definition: "0_made", case: "greeting", result: "pass" }),
    );
  });

  test("whose steps fail fail the job, and what the step said is in the log", async () => {
    const ran = await runPage("deploy-downloads", (job) =>
      job.replace("mkdir made", "cat nothing-here"),
    );
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Job" });
    expect(ran.outcome.error_msg).toContain("the postprocess steps failed with exit code 1");
    expect(ran.text).toMatch(/>> .*nothing-here.*No such file/);
  });
});

describe("QEMU in a container", () => {
  beforeAll(importQemu);

  test("boots a guest from the job's files", async () => {
    const ran = await runPage("boot-qemu");
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(ran.text).toContain("--name=lava-docker-qemu-42-2.1.1-");
    expect(ran.results).toContainEqual(
      expect.objectContaining({ definition: "0_smoke", case: "kernel", result: "pass" }),
    );
  });

  test("fails when the image has no such program", async () => {
    const ran = await runPage("boot-qemu", (job) =>
      job.replace("local: true", "local: true, binary: qemu-system-nothing"),
    );
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Job" });
    expect(ran.outcome.error_msg).toContain("qemu-system-nothing doesn't run in the container");
  });
});

/** This machine's QEMU with all it is linked with, as an image `qemu`. */
function importQemu(): void {
  const program = realpathSync("/usr/bin/qemu-system-x86_64");
  const root = path.join(bench.folder, "qemu");
  for (const name of ["usr/bin", "tmp", "proc", "sys", "dev"]) {
    mkdirSync(path.join(root, name), { recursive: true });
  }
  copyFileSync(program, path.join(root, "usr/bin/qemu-system-x86_64"));
  const libraries = execFileSync("ldd", [program], { encoding: "utf8" });
  for (const [library] of libraries.matchAll(/\/\S+/g)) {
    const target = path.join(root, library);
    mkdirSync(path.dirname(target), { recursive: true });
    if (!existsSync(target)) copyFileSync(realpathSync(library), target);
  }
  const modules = "/usr/lib/x86_64-linux-gnu/qemu";
  for (const data of ["/usr/share/qemu", "/usr/share/seabios", "/usr/lib/ipxe/qemu", modules]) {
    if (!existsSync(data)) continue;
    // Some are links, and some of those lead nowhere.
    const filter = (file: string): boolean => existsSync(file);
    cpSync(data, path.join(root, data), { recursive: true, dereference: true, filter });
  }
  const archive = path.join(bench.folder, "qemu.tar");
  execFileSync("tar", ["-C", root, "-cf", archive, "."]);
  bench.bed().client("import", archive, "qemu");
}
