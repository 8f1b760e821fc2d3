import { writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { methodPage } from "../../support/method-page.ts";
import { startToolBench, type ToolBench } from "../../support/tool-bench.ts";

let bench: ToolBench;
beforeEach(async () => {
  bench = await startToolBench();
  bench.serve("imx-boot.bin", "boot");
  bench.serve("system.img", "system");
  bench.tool("board-power", "");
  bench.tool("uuu", UUU);
  bench.tool("bcu", BCU);
  bench.onConsole(uBoot);
});
afterEach(() => bench.close());

/** Its ROM is on the USB when it was told so, or once its media are unusable. */
const UUU = `
  const lists = ["-lsusb"], rom = fs.existsSync(bench + "/rom");
  if (argv.length === 1 && argv[0] === "-lsusb") {
    console.log("Connected Known USB Devices\\n\\tPath\\t Chip\\t Pro\\t Vid\\t Pid\\t BcdVersion\\n\\t==========");
    if (rom) console.log("\\t2:143\\t MX8MQ\\t SDP: \\t 0x1FC9\\t0x012B\\t 0x0001");
    process.exit(0);
  }
  const words = [...argv];
  while (words[0] === "-m") if (!/^\\d+:\\d+$/.test(words.splice(0, 2)[1])) fail(1, "Error: path");
  if (words[0] === "-b") {
    if (!["sd", "emmc", "emmc_all"].includes(words[1])) fail(255, "Error: Unknown built-in " + words[1]);
    for (const file of words.slice(2)) if (!fs.existsSync(file)) fail(255, "Error: fail open file: " + file);
  } else if (!/^(SDPS?|FB[KS]?|CFG):$/.test(words[0])) fail(255, "Error: Unknown option: " + words[0]);
  if (fs.existsSync(bench + "/usb-fault")) fail(255, "Error: HID(W): LIBUSB_ERROR_TIMEOUT (-7)");
  console.log("Success 1    Failure 0");`;

const BCU = `
  const [command, ...words] = argv, options = words.filter((word) => word.startsWith("-"));
  if (!["reset", "set_boot_mode", "deinit"].includes(command)) fail(1, "unknown command: " + command);
  if (!options.every((word) => /^-(board|id)=[\\w.-]+$/.test(word))) fail(1, "unknown option");
  console.log("done");`;

/** U-Boot on a board that starts from its media, until they are erased. */
function uBoot(socket: Socket): void {
  let line = "";
  const timer = setInterval(() => socket.write("\r\nHit any key to stop autoboot:  3 "), 50);
  for (const event of ["data", "close"]) socket.once(event, () => clearInterval(timer));
  socket.on("data", (bytes) => {
    for (const character of bytes.toString("latin1")) {
      if (character !== "\n") {
        line += character;
        socket.write(character);
        continue;
      }
      if (line.includes("mmc erase")) writeFileSync(path.join(bench.folder, "rom"), "");
      line = "";
      socket.write("\r\n=> ");
    }
  });
}

const file = expect.stringMatching(/^SCRATCH\/\S+imx-boot\.bin$/) as string;

test("a board that waits in its ROM is written at once", async () => {
  writeFileSync(path.join(bench.folder, "rom"), "");
  const { outcome, text } = await bench.run(methodPage("boot-uuu"));
  expect(outcome, text).toMatchObject({ result: "pass" });
  expect(bench.calls()).toEqual([
    ["board-power", "cycle"],
    ["uuu", "-lsusb"],
    ["board-power", "cycle"],
    ["uuu", "-m", "2:143", "-b", "sd", file],
    ["uuu", "-m", "2:143", "FB:", "done"],
    ["board-power", "off"],
  ]);
  expect(text).not.toMatch(/mmc erase/);
});

test("a board that starts from its media is kept from it by U-Boot", async () => {
  const { outcome, text } = await bench.run(methodPage("boot-uuu"));
  expect(outcome, text).toMatchObject({ result: "pass" });
  expect(text).toMatch(/input mmc erase 0 0x400/);
  // The last two resets are boot-bootloader's and the one into the ROM.
  expect(bench.calls("board-power")).toHaveLength(4);
  expect(bench.calls("uuu").at(-1)).toEqual(["uuu", "-m", "2:143", "FB:", "done"]);
});

test("a board that can't be kept from it is a fault of the lab", async () => {
  const page = methodPage("boot-uuu");
  const dictionary = page.dictionary.replace(/.*corrupt_boot_media.*\n/, "");
  const { outcome } = await bench.run({ ...page, dictionary });
  expect(outcome).toMatchObject({ error_type: "Infrastructure" });
  expect(outcome.error_msg).toMatch(/corrupt_boot_media_command/);
});

test("with bcu the boot mode is switched, and given back at the end", async () => {
  const { outcome, text } = await bench.run(methodPage("deploy-uuu"));
  expect(outcome, text).toMatchObject({ result: "pass" });
  const board = ["-board=imx8dxlevk", "-id=2-1.3"];
  expect(bench.calls()).toEqual([
    ["board-power", "cycle"],
    ["bcu", "reset", "usb", ...board],
    ["uuu", "-m", "1:14", "-b", "emmc_all", file, expect.stringMatching(/system\.img$/)],
    ["bcu", "set_boot_mode", "emmc", ...board],
    ["board-power", "off"],
    ["bcu", "deinit", ...board],
  ]);
});

test("a fault on the USB fails the job with uuu's words, and bcu is given back all the same", async () => {
  writeFileSync(path.join(bench.folder, "usb-fault"), "");
  const { outcome } = await bench.run(methodPage("deploy-uuu"));
  expect(outcome).toMatchObject({ error_type: "Job" });
  expect(outcome.error_msg).toMatch(/uuu failed: exit code 255.*LIBUSB_ERROR_TIMEOUT/);
  expect(bench.calls("bcu").at(-1)?.[1]).toBe("deinit");
});

test("the board's path may come from a command of the lab", async () => {
  writeFileSync(path.join(bench.folder, "rom"), "");
  const page = methodPage("boot-uuu");
  bench.tool("find-board", `console.log("2:143");`);
  const dictionary = page.dictionary.replace(
    "uuu_usb_otg_path = '2:143'",
    "uuu_usb_otg_path_command = ['find-board', 'imx8']",
  );
  const { outcome, text } = await bench.run({ ...page, dictionary });
  expect(outcome, text).toMatchObject({ result: "pass" });
  expect(bench.calls("uuu").at(-1)?.slice(0, 3)).toEqual(["uuu", "-m", "2:143"]);
});

test("a board whose bootloader works is left alone when the job is content with that", async () => {
  const page = methodPage("boot-uuu");
  const job = page.job.replace(
    "method: uuu",
    "method: uuu\n      skip_uuu_if_bootloader_valid: true",
  );
  const { outcome, text } = await bench.run({ ...page, job });
  expect(outcome, text).toMatchObject({ result: "pass" });
  expect(bench.calls("uuu")).toEqual([]);
});

test.each([
  ["- uuu: -b sd /etc/shadow", /\{LABEL\}/],
  ["- SDPS: boot -f /etc/shadow", /\{LABEL\}/],
  ["- uuu: 'FB: flash bootloader ../../secret'", /\{LABEL\}/],
  ["- SHELL: id", /expected one of uuu/],
  ["- uuu: 'SH: id'", /expected one of uuu/],
  ["- uuu -b sd {boot}", /PROTOCOL: COMMAND/],
])("the command %s is refused before the board is touched", async (command, message) => {
  const page = methodPage("boot-uuu");
  const { outcome } = await bench.run({
    ...page,
    job: page.job.replace("- uuu: -b sd {boot}", command),
  });
  expect(outcome.error_msg).toMatch(message);
  expect(bench.calls()).toEqual([]);
});

test.each([
  ["- uuu: '{boot}'", "uuu_version 1.4\nSHELL: id\n"],
  ["- uuu: -b {boot}", Buffer.from("\0\0uuu_version 1.4\nSHELL: id\n")],
  ["- uuu: '{boot}'", Buffer.from("PK\u0003\u0004\0\0\0")],
  ["- uuu: -v scratch/deploy-1", Buffer.from("\0")],
])("a file of the job is no script for uuu: %s", async (command, bytes) => {
  bench.serve("imx-boot.bin", bytes);
  const page = methodPage("boot-uuu");
  const job = page.job.replace("- uuu: -b sd {boot}", command);
  const { outcome } = await bench.run({ ...page, job });
  expect(outcome).toMatchObject({
    error_type: "Job",
    error_msg: expect.stringContaining("expected a script that uuu has itself"),
  });
  expect(bench.calls("uuu").filter((words) => !words.includes("-lsusb"))).toEqual([]);
});

test("in a container uuu sees the job's files at their own paths, and all of /dev", async () => {
  writeFileSync(path.join(bench.folder, "rom"), "");
  // Runs the command here: what it names must be mounted.
  bench.tool(
    "docker",
    `if (argv[0] === "image") { console.log("amd64"); process.exit(0); }
     if (argv[0] !== "run") fail(1, "docker: '" + argv[0] + "' is not a docker command.");
     const at = argv.indexOf("nxp/uuu:1"), options = argv.slice(1, at), command = argv.slice(at + 1);
     const known = /^--(rm|init|privileged|volume=\\/dev:\\/dev|name=[\\w.-]+|label=pumice.job=\\S+|mount=type=bind,source=(\\S+),target=\\2)$/;
     const bad = options.find((option) => !known.test(option));
     if (at < 0 || bad) fail(125, "unknown flag: " + bad);
     const mounted = options.map((option) => known.exec(option)[2]).filter(Boolean);
     const lost = command.find((word) => word.startsWith("/") && !mounted.some((folder) => word.startsWith(folder + "/")));
     if (lost) fail(1, "Error: fail open file: " + lost);
     const done = require("node:child_process").spawnSync(command[0], command.slice(1), { stdio: "inherit" });
     process.exit(done.status);`,
  );
  const page = methodPage("boot-uuu");
  const job = page.job.replace(
    "method: uuu",
    "method: uuu\n      docker: {image: 'nxp/uuu:1', local: true}",
  );
  const { outcome, text } = await bench.run({ ...page, job });
  expect(outcome, text).toMatchObject({ result: "pass" });
  expect(bench.calls("uuu").at(-1)).toEqual(["uuu", "-m", "2:143", "FB:", "done"]);
  const names = bench
    .calls("docker")
    .flatMap((words) => words.filter((word) => word.startsWith("--name=")));
  expect(new Set(names).size).toBe(3);
});
