import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { pageOnBed } from "../support/page-on-bed.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { standIn, useTools } from "../support/stand-in-tool.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";
import { PROGRAM, startGanesha, type NfsServer } from "./ganesha.ts";
import { makeNetworkRoot } from "./network-root.ts";
import { start as startOwnKernel } from "./own-kernel.ts";
import { startUboot, type UbootBed } from "./uboot.ts";

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
    const at = (name: string): string => path.join(folder, name);
    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), "pumice-nfs-root-"));
      const guest = await makeNetworkRoot(console.error, "arm64");
      mkdirSync(at("board"));
      copyFileSync(path.join(guest, "root.tar.gz"), at("rootfs.tar.gz"));
      shelf = await startFileShelf({
        Image: path.join(guest, "vmlinuz"),
        "initrd.img": path.join(guest, "initramfs.cpio.gz"),
        "ramdisk.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
        "rootfs.tar.gz": at("rootfs.tar.gz"),
        "board.dtb": at("board/board.dtb"),
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

    async function withServer(
      address: string,
      use: (server: NfsServer) => Promise<void>,
      port?: number,
    ): Promise<void> {
      const server = await startGanesha(mkdtempSync(at("server-")), address, port);
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
      const bed = await startOwnKernel(at("own-kernel"), console.error);
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

    /** The page's job of deploy tftp, its root on NFS. */
    async function runTftp(
      bed: UbootBed,
      change: { deploy: string; boot?: string; more?: string; nfs_root?: string },
    ): Promise<BedRan> {
      const page = methodPage("deploy-tftp");
      const [deployAndBoot = ""] = page.job.split("  - test:");
      const job = deployAndBoot
        .replaceAll("http://files.example.com/", shelf.url)
        .replace("      os: oe", `      ${change.deploy}\n      os: oe`)
        .replace("commands: ramdisk", `commands: nfs\n      ${LOGIN}\n      ${change.boot ?? ""}`);
      return runOnBed({
        job: job.trimEnd() + SMOKE,
        dictionary: `${pageOnBed(page.dictionary, bed)}${change.more ?? ""}`,
        dispatcher: { ...bed.dispatcher, nfs_root: change.nfs_root },
      });
    }

    describe("of a board whose kernel comes by TFTP", () => {
      let bed: UbootBed;
      beforeAll(async () => void (bed = await startUboot(at("board"), console.error, "arm64")));
      afterAll(() => bed.close());
      const address = (): string => String(bed.dispatcher["dispatcher_ip"]);

      test("is unpacked for the job", () =>
        withServer(address(), async ({ port, exported }) => {
          const ran = await runTftp(bed, {
            deploy: `nfsrootfs: {url: ${shelf.url}rootfs.tar.gz, compression: gz}`,
            more: `{% set extra_nfsroot_args = ',port=${port}' %}\n`,
            nfs_root: exported,
          });
          passed(ran);
        }));

      test("stays from job to job: the worker mounts it and puts the overlay in", () =>
        withServer(
          address(),
          async ({ exported }) => {
            const root = persistentRoot(exported);
            const from = `${address()}:${root}`;
            if (!canMount) {
              standIn(
                folder,
                "mount",
                `[ "$*" = "-t nfs ${from} $4" ] && ${MOUNT} --bind ${root} "$4"`,
              );
            }
            const deploy = `persistent_nfs: {address: '${from}'}`;
            passed(await useTools(folder, () => runTftp(bed, { deploy })));
            expect(readFileSync("/proc/mounts", "utf8")).not.toContain("persistent-nfs");
            expect(readFileSync(path.join(root, "root/written"), "utf8")).toBe("pumice\n");
          },
          NFS_PORT,
        ));

      test("stays as it is; the DUT fetches the overlay from the same server", () =>
        withServer(
          address(),
          async ({ exported }) => {
            const from = `${address()}:${persistentRoot(exported)}`;
            const ran = await runTftp(bed, {
              deploy: `persistent_nfs: {address: '${from}', install_overlay: false}`,
              boot: "transfer_overlay: {transfer_method: nfs, download_command: 'mount -t nfs -o nolock,vers=4.1', unpack_command: cp -rf}",
              nfs_root: exported,
            });
            passed(ran);
            expect(ran.text).toContain("cp -rf /mnt/extract-nfsrootfs-");
            expect(readdirSync(exported)).toEqual(["persistent"]);
          },
          NFS_PORT,
        ));

      test("can't be mounted: the job says why, and the board isn't touched", async () => {
        const ran = await runTftp(bed, {
          deploy: "persistent_nfs: {address: 'nowhere.invalid:/root'}",
        });
        expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Job" });
        expect(ran.outcome.error_msg).toMatch(
          /^persistent_nfs nowhere\.invalid:\/root can't be mounted here: mount\.nfs: Failed to resolve server/,
        );
        expect(ran.text).not.toContain("U-Boot 20");
      });
    });

    /** A root file system that somebody has put on the server. */
    function persistentRoot(exported: string): string {
      const root = path.join(exported, "persistent");
      mkdirSync(root);
      execFileSync("tar", ["-C", root, "-xzf", at("rootfs.tar.gz")]);
      return root;
    }
  },
);

/** NFS's own: `persistent_nfs` has no place for another. */
const NFS_PORT = 2049;
const MOUNT = "/usr/bin/mount";
/** Without the kernel's client the worker gets the server's folder itself in its place; the DUT mounts by NFS in any case. */
const canMount = /\bnfs4\b/.test(readFileSync("/proc/filesystems", "utf8"));
