import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { pageOnBed } from "../support/page-on-bed.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";
import { PROGRAM, startGanesha, type NfsServer } from "./ganesha.ts";
import { makeNetworkRoot } from "./network-root.ts";
import { start as startOwnKernel } from "./own-kernel.ts";
import { startUboot } from "./uboot.ts";

const canServe = existsSync(PROGRAM) && process.getuid?.() === 0;
if (!canServe) console.warn(`skipped: an NFS server of our own needs root and ${PROGRAM}`);

const LOGIN =
  "auto_login: {login_prompt: 'login: ', username: root, password_prompt: 'Password: ', password: lava}";
const SMOKE = `
  - test:
      definitions:
        - from: inline
          name: smoke
          path: smoke.yaml
          repository:
            metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
            run:
              steps:
                - lava-test-case root --shell grep " / nfs4 rw" /proc/mounts
                - lava-test-case overlay --shell test -d /lava-1/bin
                - lava-test-case write --shell 'echo pumice >/root/written && sync'
`;

describe.skipIf(!canServe)(
  "a root file system that the worker unpacks, on a lab's NFS server",
  () => {
    let folder: string;
    let shelf: FileShelf;
    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), "pumice-nfs-root-"));
      const guest = await makeNetworkRoot(console.error, "arm64");
      mkdirSync(path.join(folder, "board"));
      shelf = await startFileShelf({
        Image: path.join(guest, "vmlinuz"),
        "initrd.img": path.join(guest, "initramfs.cpio.gz"),
        "ramdisk.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
        "rootfs.tar.gz": path.join(guest, "root.tar.gz"),
        "board.dtb": path.join(folder, "board/board.dtb"),
      });
    });
    afterAll(async () => {
      await shelf.close();
      rmSync(folder, { recursive: true });
    });

    const passed = (ran: BedRan): void => {
      expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
      const smoke = ran.results.filter(({ definition }) => definition === "0_smoke");
      expect(smoke, ran.text).toMatchObject([
        { case: "root", result: "pass" },
        { case: "overlay", result: "pass" },
        { case: "write", result: "pass" },
      ]);
    };

    async function withServer(address: string, use: (server: NfsServer) => Promise<void>) {
      const server = await startGanesha(mkdtempSync(path.join(folder, "server-")), address);
      try {
        await use(server);
      } finally {
        await server.close();
      }
    }

    test("is the root of a guest in QEMU", () =>
      withServer("127.0.0.1", async ({ port, exported }) => {
        const page = methodPage("boot-qemu-nfs");
        const job = page.job
          .replaceAll("http://files.example.com/", shelf.url)
          .replace(",tcp,hard", `,tcp,hard,port=${port}`)
          .replace(/auto_login: .*/, LOGIN)
          .replace("      to: nfs\n", "      to: nfs\n      os: oe\n");
        // This machine's loopback, as a guest on QEMU's own network sees it.
        const dispatcher = { dispatcher_ip: "10.0.2.2", services_address: "127.0.0.1" };
        passed(
          await runOnBed({
            job: job + SMOKE,
            dictionary: page.dictionary,
            dispatcher: { ...dispatcher, nfs_root: exported },
          }),
        );
      }));

    test("is the root of a board that has its kernel", async () => {
      const bed = await startOwnKernel(path.join(folder, "own-kernel"), console.error);
      try {
        await withServer(String(bed.dispatcher["dispatcher_ip"]), async ({ port, exported }) => {
          const page = methodPage("deploy-nfs");
          const dictionary = pageOnBed(page.dictionary, bed);
          passed(
            await runOnBed({
              job: page.job.replaceAll("http://files.example.com/", shelf.url),
              dictionary: dictionary.replace(",vers=4.1", `,vers=4.1,port=${port}`),
              dispatcher: { ...bed.dispatcher, nfs_root: exported },
            }),
          );
        });
      } finally {
        await bed.close();
      }
    });

    test("is the root of a board whose kernel comes by TFTP", async () => {
      const bed = await startUboot(path.join(folder, "board"), console.error, "arm64");
      try {
        await withServer(String(bed.dispatcher["dispatcher_ip"]), async ({ port, exported }) => {
          const page = methodPage("deploy-tftp");
          const [deployAndBoot = ""] = page.job.split("  - test:");
          const job = deployAndBoot
            .replaceAll("http://files.example.com/", shelf.url)
            .replace(
              "      os: oe",
              `      nfsrootfs: {url: ${shelf.url}rootfs.tar.gz, compression: gz}\n      os: oe`,
            )
            .replace("commands: ramdisk", `commands: nfs\n      ${LOGIN}`);
          passed(
            await runOnBed({
              job: job.trimEnd() + SMOKE,
              dictionary: `${pageOnBed(page.dictionary, bed)}{% set extra_nfsroot_args = ',port=${port}' %}\n`,
              dispatcher: { ...bed.dispatcher, nfs_root: exported },
            }),
          );
        });
      } finally {
        await bed.close();
      }
    });
  },
);
