import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { methodPage } from "../../support/method-page.ts";
import { startToolBench, type ToolBench } from "../../support/tool-bench.ts";

let bench: ToolBench;
beforeEach(async () => {
  bench = await startToolBench();
  bench.tool("mount", MOUNT);
  bench.tool("umount", UMOUNT);
});
afterEach(() => bench.close());

/** Shows what is on the board's disk below the mount point; `umount` writes it back. */
const MOUNT = `
  const [flag, options, device, folder, ...more] = argv;
  if (flag !== "-o" || options !== "rw,nosuid,nodev,noexec" || more.length) fail(1, "mount: bad usage");
  if (!fs.existsSync(device)) fail(32, "mount: special device " + device + " does not exist.");
  if (fs.existsSync(bench + "/board")) fs.cpSync(bench + "/board", folder, { recursive: true });`;
const UMOUNT = `
  if (argv.length !== 1) fail(1, "umount: bad usage");
  fs.rmSync(bench + "/board", { recursive: true, force: true });
  fs.cpSync(argv[0], bench + "/board", { recursive: true });
  for (const name of fs.readdirSync(argv[0])) fs.rmSync(argv[0] + "/" + name, { recursive: true });
  if (fs.existsSync(bench + "/refuse")) fs.writeFileSync(bench + "/board/FAIL.TXT", "error: file format\\r\\n");
  fs.writeFileSync(bench + "/unmounted", "");`;

const board = (...names: string[]): string => path.join(bench.folder, "board", ...names);
const disk = (folder: string, name: string): void =>
  symlinkSync("/dev/null", path.join(bench.folder, "dev/disk", folder, name));

/** A folder with these files as an archive. */
function archive(kind: "zip" | "tar.gz", files: Record<string, string>): Buffer {
  const folder = path.join(bench.folder, "archive");
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), content);
  }
  const file = path.join(bench.folder, `archive.${kind}`);
  if (kind === "zip") execFileSync("zip", ["-q", "-r", "-y", file, "."], { cwd: folder });
  else execFileSync("tar", ["-C", folder, "-czf", file, "."]);
  return readFileSync(file);
}

describe("vemsd", () => {
  /** The motherboard controller: it counts down until it is stopped, then takes commands. */
  const controller = (socket: Socket): void => {
    const answers: Record<string, string> = {
      "": "Cmd> ",
      usb_on: "Enabling debug USB...\r\nCmd> ",
      flash: "Flash> ",
      eraseall: "Erasing Flash\r\nErasing Flash\r\nFlash> ",
      exit: "Cmd> ",
    };
    const timer = setInterval(() => socket.write("Press Enter to stop auto boot...\r\n"), 50);
    for (const event of ["data", "close"]) socket.once(event, () => clearInterval(timer));
    let line = "";
    socket.on("data", (bytes) => {
      for (const character of bytes.toString("latin1")) {
        if (character !== "\n") {
          line += character;
          continue;
        }
        const word = line.trim();
        line = "";
        if (word === "usb_on") disk("by-label", "JUNO");
        socket.write(`${word}\r\n${answers[word] ?? "Unknown command\r\nCmd> "}`);
      }
    });
  };

  beforeEach(() => {
    bench.tool("board-power", "");
    bench.onConsole(controller);
    mkdirSync(board("SITE1"), { recursive: true });
    writeFileSync(board("SITE1/old.txt"), "stays");
  });

  test("the page's job copies the firmware to the controller's disk and erases the flash", async () => {
    bench.serve("juno.zip", archive("zip", { "config.txt": "new", "SITE1/images.txt": "list" }));
    const { outcome, text } = await bench.run(methodPage("deploy-vemsd"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(readFileSync(board("config.txt"), "utf8")).toBe("new");
    expect(readdirSync(board("SITE1")).sort()).toEqual(["images.txt", "old.txt"]);
    expect(bench.calls().map(([name]) => name)).toEqual(["board-power", "mount", "umount"]);
    expect([...text.matchAll(/^input (.*)$/gm)].map(([, typed]) => typed)).toEqual([
      "",
      "usb_on",
      "flash",
      "eraseall",
      "exit",
    ]);
  });

  test("a link in the archive is refused: it could be a file of the worker", async () => {
    mkdirSync(path.join(bench.folder, "archive"));
    symlinkSync("/etc/shadow", path.join(bench.folder, "archive/config.txt"));
    bench.serve("juno.zip", archive("zip", {}));
    const { outcome } = await bench.run(methodPage("deploy-vemsd"));
    expect(outcome).toMatchObject({ error_type: "Job" });
    expect(outcome.error_msg).toMatch(/config\.txt of the recovery image is neither/);
  });
});

describe("mps", () => {
  beforeEach(() => {
    bench.tool("board-power", "");
    bench.serve("mps.tar.gz", archive("tar.gz", { "MB/board.txt": "board" }));
    bench.serve("zephyr.elf", "program");
    disk("by-label", "V2M-MPS");
  });

  test("the page's job brings firmware, the program by its new name, and the file that restarts the board", async () => {
    const { outcome, text } = await bench.run(methodPage("deploy-mps"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(readFileSync(board("MB/board.txt"), "utf8")).toBe("board");
    expect(readFileSync(board("SOFTWARE/mbed.elf"), "utf8")).toBe("program");
    expect(readFileSync(board("reboot.txt"), "utf8")).toBe("hsyxhj");
  });

  test("a name with a path is refused before the board is touched", async () => {
    const page = methodPage("deploy-mps");
    const { outcome } = await bench.run({
      ...page,
      job: page.job.replace("mbed.elf", "../mbed.elf"),
    });
    expect(outcome.error_msg).toMatch(/rename '\.\.\/mbed\.elf': expected a file name/);
    expect(bench.calls()).toEqual([]);
  });
});

describe("musca", () => {
  const link = "usb-MBED_VFS_1000000000000001-0:0";
  beforeEach(() => {
    bench.serve("blinky.hex", "blinky");
    // After a flash the probe leaves the USB and comes back: its link is another one.
    bench.tool(
      "umount",
      `${UMOUNT}
      const link = bench + "/dev/disk/by-id/${link}";
      fs.rmSync(link); fs.writeFileSync(bench + "/dev/disk/by-id/other", ""); fs.symlinkSync("/dev/null", link);`,
    );
    bench.tool(
      "board-power",
      `plug("1-3", { idVendor: "0d28", idProduct: "0204", serial: "1000000000000001", tty: "ttyACM3" });`,
    );
    disk("by-id", link);
    bench.onConsole((socket) => {
      const timer = setInterval(() => socket.write("Hello from Musca\r\n"), 50);
      socket.on("close", () => clearInterval(timer));
    });
  });

  test("the page's job writes the binary, and the board speaks", async () => {
    const { outcome, text } = await bench.run(methodPage("boot-musca"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(readFileSync(board("blinky.hex"), "utf8")).toBe("blinky");
    expect(bench.calls("mount")).toHaveLength(2);
  });

  test("the deploy page's job needs no prompt", async () => {
    const { outcome, text } = await bench.run(methodPage("deploy-musca"));
    expect(outcome, text).toMatchObject({ result: "pass" });
  });

  test("a binary that the probe refuses fails the job with the probe's reason", async () => {
    writeFileSync(path.join(bench.folder, "refuse"), "");
    const { outcome } = await bench.run(methodPage("deploy-musca"));
    expect(outcome).toMatchObject({ error_type: "Infrastructure" });
    expect(outcome.error_msg).toBe("the board refused the binary: error: file format");
  });
});
