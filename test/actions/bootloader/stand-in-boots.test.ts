import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startFileShelf, type FileShelf } from "../../beds/file-shelf.ts";
import { methodPage } from "../../support/method-page.ts";
import { runOnBed, type BedRan } from "../../support/run-on-bed.ts";
import {
  startStandInBoard,
  type Firmware,
  type StandInBoard,
} from "../../support/stand-in-board.ts";

/** The kernel's start and a shell's prompt. */
const LINUX = "Starting kernel ...\r\n[    0.0] Linux version 6.1.0\r\nroot@pumice:~# ";

const RAMDISK = gzipSync("070701 a cpio archive");

let folder: string;
let shelf: FileShelf;
let board: StandInBoard | undefined;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-boots-"));
  const names = ["zImage", "bzImage", "ramdisk.cpio.gz", "board.dtb"];
  const files = Object.fromEntries(names.map((name) => [name, path.join(folder, `file-${name}`)]));
  for (const [name, file] of Object.entries(files)) writeFileSync(file, `this is ${name}`);
  writeFileSync(files["ramdisk.cpio.gz"] ?? "", RAMDISK);
  shelf = await startFileShelf(files);
});
afterEach(async () => {
  await shelf.close();
  await board?.close();
  board = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** The page's job on a board with this firmware, whose TFTP server is a folder. */
async function runPage(
  name: string,
  firmware: Firmware,
  change: (job: string) => string = (job) => job,
): Promise<BedRan> {
  const page = methodPage(name);
  board = await startStandInBoard(firmware);
  const dictionary = page.dictionary
    .replace("telnet rack.example.com 7001", board.connection)
    .replaceAll("http://plug.example.com", board.plug)
    .replace("1 cycle'", "1 cycle --delay 0'");
  return runOnBed({
    job: change(page.job).replaceAll("http://files.example.com/", shelf.url),
    dictionary,
    dispatcher: { dispatcher_ip: "10.1.2.3", tftp_dir: folder },
    jobId: 42,
  });
}

const served = (tftpPath = ""): string => readFileSync(path.join(folder, tftpPath), "utf8");
const typed = ({ records }: BedRan): string[] =>
  records.filter(({ lvl }) => lvl === "input").map(({ msg }) => String(msg));

describe("barebox", () => {
  const PROMPT = "TI AM335x BeagleBone black:/ ";
  const barebox = (answers: Firmware["answers"]): Firmware => ({
    banner: "\r\nbarebox 2024.01\r\nHit m for menu or any other key to stop autoboot:  3",
    interrupted: `\r\n${PROMPT}`,
    answers,
  });

  test("boots the page's kernel, ramdisk and device tree from where its server has them", async () => {
    const ran = await runPage(
      "boot-barebox",
      barebox((line) => {
        const command = /^bootm -v -r \/mnt\/tftp\/(\S+) -o \/mnt\/tftp\/(\S+) \/mnt\/tftp\/(\S+)/;
        const [, ramdisk, dtb, kernel] = command.exec(line) ?? [];
        if (ramdisk === undefined) return PROMPT;
        const isThere =
          served(ramdisk) === RAMDISK.toString() &&
          served(dtb) === "this is board.dtb" &&
          served(kernel) === "this is zImage";
        return isThere ? LINUX : `ERROR: could not open ${line}\r\n${PROMPT}`;
      }),
    );
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(typed(ran)[0]).toBe(" ");
  });

  test("fails as the lab's fault with what it said", async () => {
    const answers = (line: string) => (line === "" ? PROMPT : `ERROR: out of luck\r\n${PROMPT}`);
    const ran = await runPage("boot-barebox", barebox(answers));
    expect(ran.outcome).toMatchObject({
      error_type: "Infrastructure",
      error_msg: expect.stringMatching(
        /^matched a bootloader error message: 'ERROR: \.\*' \(1\): "ERROR: out of luck/,
      ) as string,
    });
  });
});

describe("U-Boot that fails once", () => {
  test("is reset and tried again, on a connection that is open", async () => {
    let attempts = 0;
    const firmware: Firmware = {
      banner: "\r\nU-Boot 2024.01\r\nHit any key to stop autoboot:  2 ",
      interrupted: "\r\n=> ",
      answers: (line) => {
        if (line.startsWith("booti ")) return LINUX;
        if (!line.startsWith("tftp ") || !line.includes("kernel")) return "=> ";
        attempts += 1;
        return attempts === 1 ? "Retry count exceeded; starting again\r\n=> " : "=> ";
      },
    };
    const again = (job: string): string =>
      job
        .replace("method: u-boot", "method: u-boot\n      failure_retry: 2")
        .replace("Image\n", "bzImage\n")
        .replace(/ {2}- test:[^]*/, "");
    const ran = await runPage("boot-u-boot", firmware, again);
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(typed(ran).filter((line) => line === "setenv autoload no")).toHaveLength(2);
    expect(ran.text).toContain(
      "uboot-action failed: 1 of 2 attempts. 'matched a bootloader error message: 'Retry count exceeded' (3)'",
    );
  });
});

describe("depthcharge", () => {
  const depthcharge = (answers: Firmware["answers"]): Firmware => ({
    banner: "\r\nStarting depthcharge on grunt...\r\ngrunt: ",
    answers,
  });

  test("reads the kernel's command line from the file beside the kernel", async () => {
    let commandLine = "";
    const ran = await runPage(
      "boot-depthcharge",
      depthcharge((line) => {
        const [word, server, kernel, cmdline, ramdisk] = line.trim().split(" ");
        const isRight =
          word === "tftpboot" &&
          server === "10.1.2.3" &&
          served(kernel) === "this is bzImage" &&
          served(ramdisk) === RAMDISK.toString();
        if (!isRight) return "Tftp failed.\r\ngrunt: ";
        commandLine = served(cmdline);
        return LINUX;
      }),
    );
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(commandLine).toMatch(/console=ttyS0,115200n8 root=\/dev\/ram0 .*loglevel=7$/);
  });

  test("types the job's own commands where there is no kernel to boot, and says when it fails", async () => {
    const own = (job: string): string =>
      job.replace("commands: ramdisk", "commands: ['tftpboot {SERVER_IP}']");
    const answers = (): string => "Tftp failed.\r\ngrunt: ";
    const ran = await runPage("boot-depthcharge", depthcharge(answers), own);
    expect(typed(ran)).toContain("tftpboot 10.1.2.3");
    expect(ran.outcome).toMatchObject({
      error_type: "Infrastructure",
      error_msg: "matched a bootloader error message: 'Tftp failed.' (0)",
    });
  });
});
