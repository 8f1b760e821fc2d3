import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tftpDeploy } from "../../worker/actions/deploy/tftp.ts";
import type { RunContext } from "../../worker/pipeline/action.ts";
import { placeholdersSlot } from "../../worker/pipeline/job-slots.ts";
import type { BootStrategy } from "../../worker/pipeline/strategy.ts";
import { startFileShelf, type FileShelf } from "../beds/file-shelf.ts";
import { deployJob, runDeploy, type Deployed } from "./run-deploy.ts";

let folder: string;
let shelf: FileShelf;
const at = (name: string): string => path.join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-fit-"));
  mkdirSync(at("tftp"));
  writeFileSync(at("Image"), Buffer.alloc(5000, "kernel"));
  writeFileSync(at("ramdisk.cpio.gz"), gzipSync("070701"));
  execFileSync("dtc", ["-q", "-o", at("board.dtb")], { input: '/dts-v1/; / { model = "x"; };' });
  const names = ["Image", "ramdisk.cpio.gz", "board.dtb"];
  shelf = await startFileShelf(Object.fromEntries(names.map((name) => [name, at(name)])));
});
afterAll(async () => {
  await shelf.close();
  rmSync(folder, { recursive: true });
});

interface Made {
  readonly placeholders: Readonly<Record<string, string>>;
  /** What `dumpimage` lists of the image. */
  readonly listing: string;
  /** A part of it, by its number. */
  readonly part: (n: number) => Buffer;
}

/** Deploys for a Chromebook with these parameters, and looks while the files are there. */
async function deploy(
  block: Record<string, string>,
  parameters: Record<string, unknown>,
  load_address: string,
  look: (made: Made) => void = () => {},
): Promise<Deployed> {
  const files = Object.entries(block).map(([key, name]) => [key, { url: `${shelf.url}${name}` }]);
  const job = deployJob({
    actions: [
      { deploy: { to: "tftp", ...Object.fromEntries(files) } } as never,
      { boot: { method: "look" } },
    ],
  });
  const device = {
    ...job.device,
    parameters: { load_address },
    actions: {
      deploy: { methods: { tftp: null }, parameters },
      boot: { methods: { depthcharge: null } },
    },
  } as never;
  const looking: BootStrategy = {
    family: "boot",
    name: "look",
    refuses: () => undefined,
    action: () => ({
      name: "look",
      run: async ({ slots }: RunContext) => {
        const placeholders = slots.take(placeholdersSlot);
        const image = path.join(at("tftp"), placeholders["DEPTHCHARGE_KERNEL"] ?? "");
        look({
          placeholders,
          listing: execFileSync("dumpimage", ["-l", image], { encoding: "utf8" }),
          part: (n) => {
            const argv = ["-T", "flat_dt", "-p", String(n), "-o", at("part"), image];
            execFileSync("dumpimage", argv, { stdio: ["ignore", "ignore", "pipe"] });
            return readFileSync(at("part"));
          },
        });
      },
    }),
  };
  const dispatcher = { dispatcher_ip: "127.0.0.1", tftp_dir: at("tftp") };
  return runDeploy({ ...job, device, dispatcher }, [tftpDeploy, looking]).finally(() =>
    job.remove(),
  );
}

const ALL = { kernel: "Image", dtb: "board.dtb", ramdisk: "ramdisk.cpio.gz" };

test("a FIT image for a 64-bit board has the kernel, which lzma compressed, ramdisk and device tree", async () => {
  const ran = await deploy(ALL, { mkimage_arch: "arm64" }, "0x80000", (made) => {
    expect(made.placeholders["DEPTHCHARGE_KERNEL"]).toMatch(/\/kernel\/image\.itb$/);
    expect(made.placeholders["DEPTHCHARGE_RAMDISK"]).toBe("");
    expect(made.listing).toMatch(/Compression: +lzma compressed/);
    expect(made.listing).toMatch(/Load Address: 0x00080000\n +Entry Point: +0x00080000/);
    const kernel = execFileSync("xz", ["--format=lzma", "-dc"], { input: made.part(0) });
    expect(kernel.equals(readFileSync(at("Image")))).toBe(true);
    expect(made.part(2).equals(readFileSync(at("ramdisk.cpio.gz")))).toBe(true);
    expect(made.part(1).equals(readFileSync(at("board.dtb")))).toBe(true);
  });
  expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
});

test("for a 32-bit board the kernel stays as it is; what the job doesn't give isn't in the image", async () => {
  const ran = await deploy({ kernel: "Image" }, { mkimage_arch: "arm" }, "60208000", (made) => {
    expect(made.listing).toMatch(/Compression: +uncompressed/);
    expect(made.listing).toContain("Load Address: 0x60208000");
    expect(made.listing).not.toMatch(/RAMDisk|Flat Device Tree/);
    expect(made.part(0).equals(readFileSync(at("Image")))).toBe(true);
  });
  expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
});

test("without the architecture there is no image: the board gets its files one by one", async () => {
  let seen: Readonly<Record<string, string>> = {};
  const ran = await deploy(ALL, {}, "0", ({ placeholders }) => (seen = placeholders));
  expect(seen["DEPTHCHARGE_KERNEL"]).toMatch(/\/kernel\/Image$/);
  expect(seen["DEPTHCHARGE_RAMDISK"]).toMatch(/\/ramdisk\/ramdisk\.cpio$/);
  expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
});

test("an address that is no number is the dictionary's fault, found before anything is fetched", async () => {
  const { outcome } = await deploy(ALL, { mkimage_arch: "arm64" }, "high");
  expect(outcome).toMatchObject({ error_type: "Configuration" });
  expect(outcome.error_msg).toContain("load_address of the device is 'high'");
});
