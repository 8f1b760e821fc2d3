import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { crc32, gunzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { JobAction } from "#protocol/job-actions.ts";
import { nbdDeploy } from "../../worker/actions/deploy/nbd.ts";
import { nfsDeploy } from "../../worker/actions/deploy/nfs.ts";
import { tftpDeploy } from "../../worker/actions/deploy/tftp.ts";
import { runCommand } from "../../worker/host/spawn.ts";
import { bootKindSlot, placeholdersSlot } from "../../worker/pipeline/job-slots.ts";
import type { RunContext } from "../../worker/pipeline/action.ts";
import type { BootStrategy } from "../../worker/pipeline/strategy.ts";
import { tftpGet } from "../../worker/services/tftp-client.ts";
import { startFileShelf, type FileShelf } from "../beds/file-shelf.ts";
import { deployJob, runDeploy, type Deployed } from "./run-deploy.ts";

let files: string;
let nfs: string;
let shelf: FileShelf;
beforeAll(async () => {
  files = mkdtempSync(path.join(tmpdir(), "pumice-network-"));
  const tree = path.join(files, "tree");
  mkdirSync(path.join(tree, "usr/lib"), { recursive: true });
  mkdirSync(path.join(tree, "etc"));
  symlinkSync("usr/lib", path.join(tree, "lib"));
  writeFileSync(path.join(tree, "etc/hostname"), "dut\n");
  const sh = (script: string): Buffer => execFileSync("sh", ["-c", script], { cwd: files });
  sh("cd tree && find . | cpio --quiet -o -H newc | gzip -n > ../ramdisk.cpio.gz");
  sh(
    "tar -C tree -czf root.tar.gz . && mkdir shifted && cp -a tree shifted/os && tar -C shifted -cf shifted.tar .",
  );
  sh("mkimage -A arm -T ramdisk -C none -d ramdisk.cpio.gz ramdisk.uboot");
  sh(
    "mkdir -p m/lib/modules/6.1 && echo a driver > m/lib/modules/6.1/x.ko && tar -C m -czf modules.tar.gz .",
  );
  writeFileSync(path.join(files, "zImage"), Buffer.alloc(5000, "kernel"));
  writeFileSync(path.join(files, "board.dtb"), "a device tree");
  writeFileSync(path.join(files, "disk"), Buffer.alloc(1024 * 1024, 7));
  writeFileSync(path.join(files, "preseed.cfg"), "d-i preseed/late_command string \\\n  true\n");
  const names = [
    "ramdisk.cpio.gz",
    "root.tar.gz",
    "shifted.tar",
    "ramdisk.uboot",
    "modules.tar.gz",
  ];
  const all = [...names, "zImage", "board.dtb", "disk", "preseed.cfg"];
  shelf = await startFileShelf(
    Object.fromEntries(all.map((name) => [name, path.join(files, name)])),
  );
});
afterAll(async () => {
  await shelf.close();
  rmSync(files, { recursive: true });
});
beforeEach(() => void (nfs = mkdtempSync(path.join(tmpdir(), "pumice-nfs-"))));
afterEach(() => rmSync(nfs, { recursive: true }));

const url = (name: string): Record<string, unknown> => ({ url: `${shelf.url}${name}` });
const SHELL_TEST: JobAction = {
  test: {
    definitions: [
      {
        from: "inline",
        name: "one",
        path: "one.yaml",
        repository: { metadata: { format: "x", name: "one" }, run: { steps: ["true"] } },
      },
    ],
  },
} as unknown as JobAction;

interface Look {
  readonly placeholders: Readonly<Record<string, string>>;
  readonly bootCommand: string | undefined;
  /** A published file, fetched as a DUT would. */
  readonly fetch: (placeholder: string) => Buffer;
  readonly nfsRoot: (name: string) => string;
}
interface Asked {
  readonly deploy: Record<string, unknown>;
  readonly withTest?: boolean;
  readonly parameters?: Record<string, unknown>;
  readonly addresses?: Record<string, unknown>;
  readonly protocols?: Record<string, unknown>;
  readonly look?: (look: Look) => Promise<void> | void;
}

/** Deploys for real; the boot in its place looks at what the DUT would find, while the servers are up. */
async function deploy(asked: Asked): Promise<Deployed> {
  const { parameters = {}, addresses = {}, look, withTest = false } = asked;
  const deployBlock = { deploy: asked.deploy } as unknown as JobAction;
  const job = deployJob({
    actions: [deployBlock, { boot: { method: "look" } }, ...(withTest ? [SHELL_TEST] : [])],
    ...(asked.protocols ? { protocols: asked.protocols } : {}),
  } as never);
  const device = {
    ...job.device,
    parameters: addresses,
    actions: {
      deploy: { parameters, methods: { tftp: null, nfs: null, nbd: null } },
      boot: { methods: { "u-boot": {} } },
    },
  } as unknown as typeof job.device;
  const looking: BootStrategy = {
    family: "boot",
    name: "look",
    refuses: () => undefined,
    action: () => ({
      name: "look",
      run: async ({ slots, log }: RunContext) => {
        const placeholders = slots.take(placeholdersSlot);
        log.debug(JSON.stringify(placeholders));
        // `tftp_dir`, so that nothing here needs a port that is the machine's only one.
        await look?.({
          placeholders,
          bootCommand: slots.find(bootKindSlot)?.bootCommand,
          fetch: (name) => readFileSync(path.join(nfs, placeholders[name] ?? "")),
          nfsRoot: (name) => path.join(placeholders["NFSROOTFS"] ?? "", name),
        });
      },
    }),
  };
  const dispatcher = { dispatcher_ip: "127.0.0.1", tftp_dir: nfs, nfs_root: nfs, prefix: "lab-" };
  try {
    return await runDeploy({ ...job, device, dispatcher }, [
      tftpDeploy,
      nfsDeploy,
      nbdDeploy,
      looking,
    ]);
  } finally {
    job.remove();
  }
}

const passed = ({ outcome, messages }: Deployed): void =>
  expect(outcome, messages.join("\n")).toEqual({ result: "pass" });

/** Names in the archives of an initramfs, the first compressed, as the kernel would unpack them. */
function unpacked(archive: Buffer): string[] {
  const compressed = statSync(path.join(files, "ramdisk.cpio.gz")).size;
  const first = gunzipSync(archive.subarray(0, compressed));
  return [...namesIn(first), ...namesIn(archive.subarray(Math.ceil(compressed / 4) * 4))];
}

function namesIn(archives: Buffer): string[] {
  const names: string[] = [];
  const align = (at: number): number => Math.ceil(at / 4) * 4;
  for (let at = 0; at < archives.length;) {
    if (archives[at] === 0) {
      at += 1;
      continue;
    }
    expect([archives.toString("latin1", at, at + 6), at % 4]).toEqual(["070701", 0]);
    const field = (n: number): number =>
      Number.parseInt(archives.toString("latin1", at + 6 + n * 8, at + 14 + n * 8), 16);
    const name = archives.toString("utf8", at + 110, at + 110 + field(11) - 1);
    if (name !== "TRAILER!!!") names.push(name.replace(/^\.\//, ""));
    at = align(align(at + 110 + field(11)) + field(6));
  }
  return names;
}

test("the overlay is appended to the ramdisk, whose own bytes stay as they are; U-Boot's header is right", async () => {
  const original = readFileSync(path.join(files, "ramdisk.cpio.gz"));
  passed(
    await deploy({
      deploy: {
        to: "tftp",
        kernel: { ...url("zImage"), type: "zimage" },
        ramdisk: { ...url("ramdisk.cpio.gz"), compression: "gz" },
        dtb: url("board.dtb"),
        os: "oe",
      },
      withTest: true,
      parameters: { add_header: "u-boot", mkimage_arch: "arm" },
      addresses: { bootz: { kernel: "0x80008000", ramdisk: "0x83000000", dtb: "0x88000000" } },
      look: ({ placeholders, bootCommand, fetch }) => {
        expect(placeholders["KERNEL"]).toMatch(/^lab-7\/tftp-deploy-\w{6}\/kernel\/zImage$/);
        expect(placeholders["RAMDISK"]).toMatch(/\/ramdisk\/ramdisk\.cpio\.gz\.uboot$/);
        expect(placeholders["DTB"]).toMatch(/\/dtb\/board\.dtb$/);
        expect(placeholders).toMatchObject({ TEE: "", PRESEED_CONFIG: "" });
        expect(bootCommand).toBe("bootz");
        const ramdisk = fetch("RAMDISK");
        expect(ramdisk.readUInt32BE(24)).toBe(crc32(ramdisk.subarray(64)));
        expect(ramdisk.subarray(64, 64 + original.length).equals(original)).toBe(true);
        expect(unpacked(ramdisk.subarray(64))).toEqual(
          expect.arrayContaining(["etc/hostname", "lava-7/bin/lava-test-runner"]),
        );
      },
    }),
  );
});

test("a header that the ramdisk has is taken off when the device wants none", async () => {
  const original = readFileSync(path.join(files, "ramdisk.cpio.gz"));
  const ramdisk = { ...url("ramdisk.uboot"), header: "u-boot" };
  passed(
    await deploy({
      deploy: { to: "tftp", kernel: url("zImage"), ramdisk, os: "oe" },
      look: ({ fetch, bootCommand }) => {
        expect(bootCommand).toBeUndefined();
        expect(fetch("RAMDISK").equals(original)).toBe(true);
      },
    }),
  );
});

test("with install_overlay and install_modules false the ramdisk is the job's, byte for byte", async () => {
  const ramdisk = {
    ...url("ramdisk.uboot"),
    header: "u-boot",
    install_overlay: false,
    install_modules: false,
  };
  passed(
    await deploy({
      deploy: { to: "tftp", ramdisk, os: "oe" },
      withTest: true,
      parameters: { add_header: "u-boot", mkimage_arch: "arm" },
      look: ({ fetch, placeholders }) => {
        expect(placeholders["RAMDISK"]).toMatch(/\/ramdisk\/ramdisk\.uboot$/);
        expect(fetch("RAMDISK").equals(readFileSync(path.join(files, "ramdisk.uboot")))).toBe(true);
      },
    }),
  );
});

test("a ramdisk of 200 MiB gets its overlay without being unpacked: its bytes are the same, none more are written than were", async () => {
  const big = path.join(files, "big.gz");
  const head = readFileSync(path.join(files, "ramdisk.cpio.gz"));
  const original = Buffer.concat([head, Buffer.alloc(200 * 1024 * 1024 - head.length)]);
  writeFileSync(big, original);
  const bigShelf = await startFileShelf({ "big.gz": big });
  passed(
    await deploy({
      deploy: {
        to: "tftp",
        ramdisk: { url: `${bigShelf.url}big.gz`, compression: "gz" },
        os: "oe",
      },
      withTest: true,
      look: ({ fetch, placeholders }) => {
        expect(statSync(path.join(nfs, placeholders["RAMDISK"] ?? "")).size).toBeLessThan(
          201 * 1024 * 1024,
        );
        expect(fetch("RAMDISK").subarray(0, original.length).equals(original)).toBe(true);
      },
    }),
  );
  await bigShelf.close();
  rmSync(big);
});

test("what is no cpio archive can't take an overlay, and the message says what to do", async () => {
  const { outcome } = await deploy({
    deploy: { to: "tftp", ramdisk: url("zImage"), os: "oe" },
    withTest: true,
  });
  expect(outcome).toMatchObject({ error_type: "Job" });
  expect(outcome.error_msg).toContain("the ramdisk is no cpio archive: nothing can be put into it");
});

test("modules go into the ramdisk, through the links that it has", async () => {
  passed(
    await deploy({
      deploy: {
        to: "tftp",
        ramdisk: url("ramdisk.cpio.gz"),
        modules: url("modules.tar.gz"),
        os: "oe",
      },
      look: ({ fetch }) => {
        expect(unpacked(fetch("RAMDISK"))).toContain("lib/modules/6.1/x.ko");
        expect(unpacked(fetch("RAMDISK")).filter((name) => name === "lib")).toHaveLength(1);
      },
    }),
  );
});

test("modules without anything to put them into are refused before anything is fetched", async () => {
  const { outcome } = await deploy({ deploy: { to: "tftp", modules: url("modules.tar.gz") } });
  expect(outcome.error_msg).toContain("there is no ramdisk and no nfsrootfs");
});

test("a zImage for a board that only knows bootm becomes a uImage, with its device tree behind it if need be", async () => {
  passed(
    await deploy({
      deploy: {
        to: "tftp",
        kernel: { ...url("zImage"), type: "zimage" },
        dtb: url("board.dtb"),
        os: "oe",
      },
      parameters: { mkimage_arch: "arm", append_dtb: true, use_xip: true },
      addresses: { bootm: { kernel: "0x80008000", dtb: "0x88000000", ramdisk: "0x83000000" } },
      look: async ({ fetch, placeholders, bootCommand }) => {
        expect(bootCommand).toBe("bootm");
        expect(placeholders["KERNEL"]).toMatch(/\/kernel\/uImage$/);
        expect(fetch("KERNEL").toString("latin1").endsWith("kernela device tree")).toBe(false);
        expect(fetch("KERNEL").toString("latin1").endsWith("a device tree")).toBe(true);
        const image = path.join(nfs, placeholders["KERNEL"] ?? "");
        const { output } = await runCommand(["mkimage", "-l", image]);
        expect(output).toMatch(/ARM Linux Kernel Image/);
        expect(output).toMatch(/Entry Point: +80008040/);
      },
    }),
  );
});

test("an NFS root is unpacked into the exported folder, with overlay and modules inside and never outside of it", async () => {
  let folder = "";
  passed(
    await deploy({
      deploy: {
        to: "tftp",
        nfsrootfs: { ...url("shifted.tar"), prefix: "os/" },
        modules: url("modules.tar.gz"),
        os: "debian",
      },
      withTest: true,
      look: ({ placeholders, nfsRoot }) => {
        folder = placeholders["NFSROOTFS"] ?? "";
        expect(folder).toMatch(new RegExp(`^${nfs}/lab-7/extract-nfsrootfs-\\w+/os$`));
        expect(placeholders["NFS_SERVER_IP"]).toBe("127.0.0.1");
        expect(existsSync(nfsRoot("lava-7/bin/lava-test-runner"))).toBe(true);
        expect(readFileSync(nfsRoot("usr/lib/modules/6.1/x.ko"), "utf8")).toBe("a driver\n");
        expect(readFileSync(nfsRoot("etc/hostname"), "utf8")).toBe("dut\n");
      },
    }),
  );
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(path.join(nfs, "lab-7"))).toBe(false);
});

test("deploy: nfs brings the root file system alone", async () => {
  passed(
    await deploy({
      deploy: { to: "nfs", nfsrootfs: { ...url("root.tar.gz"), compression: "gz" }, os: "debian" },
      withTest: true,
      look: ({ nfsRoot, placeholders }) => {
        expect(Object.keys(placeholders)).toEqual(["NFSROOTFS", "NFS_SERVER_IP"]);
        expect(existsSync(nfsRoot("lava-7/bin/lava-test-runner"))).toBe(true);
      },
    }),
  );
});

test.each([
  [
    "prefix: '/os/'",
    { nfsrootfs: { prefix: "/os/" } },
    "expected a relative path that ends with /",
  ],
  [
    "prefix: '../x/'",
    { nfsrootfs: { prefix: "../x/" } },
    "expected a relative path that ends with /",
  ],
  ["an address with options", { persistent_nfs: { address: "a:/b,rw" } }, "expected SERVER:/PATH"],
  [
    "an address that mount would take for an option",
    { persistent_nfs: { address: "-o:/b" } },
    "expected SERVER:/PATH",
  ],
])("%s is refused", async (_, block, message) => {
  const nfsrootfs =
    "nfsrootfs" in block ? { nfsrootfs: { ...url("root.tar.gz"), ...block.nfsrootfs } } : block;
  const { outcome } = await deploy({ deploy: { to: "tftp", ...nfsrootfs } });
  expect(outcome.error_msg).toContain(message);
});

test("an installer's answers bring the overlay to the system that it installs", async () => {
  passed(
    await deploy({
      deploy: {
        to: "tftp",
        ramdisk: url("ramdisk.cpio.gz"),
        preseed: url("preseed.cfg"),
        os: "debian_installer",
      },
      withTest: true,
      look: ({ fetch, placeholders }) => {
        expect(placeholders["PRESEED_LOCAL"]).toBe("preseed.cfg");
        const last = fetch("PRESEED_CONFIG").toString().trim().split("\n").at(-1);
        expect(last).toBe(
          "d-i preseed/late_command string true; mkdir -p /target/ && cp -a /lava-7 /target/lava-7",
        );
        expect(unpacked(fetch("RAMDISK"))).toContain("preseed.cfg");
      },
    }),
  );
});

test("device tree overlays and further files have their places", async () => {
  passed(
    await deploy({
      deploy: {
        to: "tftp",
        dtbo: [url("board.dtb"), url("zImage")],
        extra_files: { firmware: url("disk") },
      },
      look: ({ placeholders }) => {
        expect(placeholders["DTBO0"]).toMatch(/\/dtbo0\/board\.dtb$/);
        expect(placeholders["DTBO1"]).toMatch(/\/dtbo1\/zImage$/);
        expect(existsSync(path.join(nfs, placeholders["EXTRA_FILES_DIR"] ?? "", "disk"))).toBe(
          true,
        );
      },
    }),
  );
});

test("a network block device is served by nbd-server, more than once, and written to", async () => {
  let port = "";
  passed(
    await deploy({
      deploy: {
        to: "nbd",
        kernel: { ...url("zImage"), type: "zimage" },
        initrd: url("ramdisk.cpio.gz"),
        nbdroot: url("disk"),
        os: "debian",
      },
      addresses: { bootz: { kernel: "0x80008000", ramdisk: "0x83000000", dtb: "0x88000000" } },
      protocols: { "lava-xnbd": { port: "auto" } },
      look: async ({ placeholders }) => {
        expect(placeholders["NBDSERVERIP"]).toBe("127.0.0.1");
        port = placeholders["NBDSERVERPORT"] ?? "";
        expect(Number(port)).toBeGreaterThanOrEqual(55_000);
        expect(placeholders["INITRD"]).toMatch(/\/initrd\/ramdisk\.cpio\.gz$/);
        expect(placeholders["RAMDISK"]).toBe(placeholders["INITRD"]);
        const io = (name: string, ...commands: string[]) =>
          runCommand([
            "qemu-io",
            "-f",
            "raw",
            ...commands.flatMap((c) => ["-c", c]),
            `nbd://127.0.0.1:${port}/${name}`,
          ]);
        expect(await io("default", "read -P 7 0 512", "write -P 9 4096 512")).toMatchObject({
          status: 0,
        });
        // nbd-client in an initrd names none.
        for (const name of ["", "nbdroot"]) {
          expect(await io(name, "read -P 9 4096 512")).toMatchObject({ status: 0 });
        }
      },
    }),
  );
  const after = await runCommand(["qemu-img", "info", `nbd://127.0.0.1:${port}`]);
  expect(after.output).toContain("refused");
});

test("a server of the worker's own serves the job when nobody has the port", async () => {
  const job = deployJob({
    actions: [
      { deploy: { to: "tftp", kernel: url("zImage") } } as never,
      { boot: { method: "look" } },
    ],
  });
  const device = {
    ...job.device,
    actions: { deploy: { methods: { tftp: null } }, boot: { methods: {} } },
  } as never;
  let kernel: Buffer | undefined;
  const looking: BootStrategy = {
    family: "boot",
    name: "look",
    refuses: () => undefined,
    action: () => ({
      name: "look",
      run: async ({ slots }) => {
        const { KERNEL = "" } = slots.take(placeholdersSlot);
        kernel = await tftpGet({ address: ADDRESS, port: 6973 }, KERNEL);
      },
    }),
  };
  const dispatcher = { dispatcher_ip: "10.0.2.2", services_address: ADDRESS, tftp_port: 6973 };
  passed(await runDeploy({ ...job, device, dispatcher }, [tftpDeploy, looking]));
  expect(kernel?.length).toBe(5000);
  job.remove();
});
/** One of loopback's addresses that no other test has. */
const ADDRESS = `127.77.${process.pid % 250}.${Math.trunc(process.pid / 250) % 250}`;
