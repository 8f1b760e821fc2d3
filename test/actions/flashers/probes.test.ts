import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { methodPage } from "../../support/method-page.ts";
import { startToolBench, type ToolBench } from "../../support/tool-bench.ts";
import { lacking } from "../../support/lacking.ts";

let bench: ToolBench;
beforeEach(async () => void (bench = await startToolBench()));
afterEach(() => bench.close());

/** A test program that runs again and again, as a board does whose watchdog is on. */
const talkAlways = (socket: Socket): void => {
  const say = () =>
    socket.write("Running test suite\r\nPASS - boots\r\nPROJECT EXECUTION SUCCESSFUL\r\n");
  const timer = setInterval(say, 50);
  socket.on("close", () => clearInterval(timer));
};

/** The lab's power switch: the probe leaves the USB and comes back. */
const power = (device: Record<string, string>): void =>
  bench.tool(
    "board-power",
    `if (argv[0] === "cycle") { unplug("1-2"); plug("1-2", ${JSON.stringify(device)}); }
     else if (argv[0] !== "off") fail(2, "usage: board-power cycle|off");`,
  );

describe("jlink", () => {
  const probe = { idVendor: "1366", idProduct: "1015", serial: "000380000008" };
  const script = `
    const known = { "-NoGui": /^1$/, "-ExitOnError": /^1$/, "-AutoConnect": /^1$/, "-SelectEmuBySN": /^\\d+$/,
      "-Device": /^\\w+$/, "-if": /^SWD$/, "-speed": /^\\d+$/, "-CommanderScript": /./ };
    let file;
    for (let i = 0; i < argv.length; i += 2) {
      if (!known[argv[i]]?.test(argv[i + 1] ?? "")) fail(1, "Unknown command line option " + argv[i] + ".");
      if (argv[i] === "-CommanderScript") file = argv[i + 1];
    }
    console.log("SEGGER J-Link Commander V7.94");
    if (fs.existsSync(bench + "/no-target")) { console.log("Cannot connect to target."); process.exit(0); }
    const lines = fs.readFileSync(file, "utf8").trim().split("\\n");
    fs.writeFileSync(bench + "/script", lines.map((l) => l.replace(/\\/\\S*\\//g, "")).join("\\n"));
    for (const line of lines) {
      const [, loaded] = /^loadfile (\\S+)/.exec(line) ?? [];
      if (loaded && !fs.existsSync(loaded)) fail(1, "Failed to open file.");
    }
    if (lines.at(-1) !== "qc") setInterval(() => {}, 1000);
    console.log("Script processing completed.");`;

  beforeEach(() => {
    bench.tool("JLinkExe", script);
    bench.serve("app.elf", "app");
    bench.serve("radio.bin", "radio");
    bench.onConsole(talkAlways);
    power(probe);
  });

  test("the page's job writes its images through the probe with the board's number", async () => {
    const { outcome, text, results } = await bench.run(methodPage("boot-jlink"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(results).toContainEqual(expect.objectContaining({ case: "boots", result: "pass" }));
    expect(bench.calls()).toEqual([
      ["board-power", "cycle"],
      [
        "JLinkExe",
        "-NoGui",
        "1",
        "-ExitOnError",
        "1",
        "-AutoConnect",
        "1",
        "-SelectEmuBySN",
        "380000008",
        "-Device",
        "MKW36A512XXX4",
        "-if",
        "SWD",
        "-speed",
        "4000",
        "-CommanderScript",
        "SCRATCH/jlink-2.4/cmd.jlink",
      ],
      ["board-power", "off"],
    ]);
    expect(execFileSync("cat", [path.join(bench.folder, "script")], { encoding: "utf8" })).toBe(
      ["erase", "r", "connect", "loadfile app.elf", "loadfile radio.bin 0x8400000", "r", "qc"].join(
        "\n",
      ),
    );
  });

  test("a probe that can't reach its processor fails the job though the tool ends with 0", async () => {
    writeFileSync(path.join(bench.folder, "no-target"), "");
    const { outcome } = await bench.run(methodPage("boot-jlink"));
    expect(outcome).toMatchObject({ error_type: "Job" });
    expect(outcome.error_msg).toBe("JLinkExe failed: it said 'Cannot connect to target.'");
  });

  test.each([
    [
      "names a file of the worker",
      "- loadfile {radio} 0x8400000",
      "- savebin /etc/passwd 0 4",
      /\{LABEL\}/,
    ],
    [
      "wants a core that the processor hasn't",
      "commands:",
      "coretype: M36\n      commands:",
      /coretype M36/,
    ],
  ])("a job that %s is refused before the board is touched", async (_, from, to, message) => {
    const page = methodPage("boot-jlink");
    const { outcome } = await bench.run({ ...page, job: page.job.replace(from, to) });
    expect(outcome.error_msg).toMatch(message);
    expect(bench.calls()).toEqual([]);
  });

  test("a probe that doesn't come back is a fault of the lab; the log says what is there instead", async () => {
    bench.tool(
      "board-power",
      `plug("1-5", { idVendor: "1366", idProduct: "1015", serial: "000380000009" });`,
    );
    const page = methodPage("boot-jlink");
    const { outcome, text } = await bench.run({
      ...page,
      job: page.job.replace("timeout: {minutes: 2}", "timeout: {seconds: 1}"),
    });
    expect(outcome).toMatchObject({ error_type: "Infrastructure" });
    expect(outcome.error_msg).toMatch(/^wait-device-boardid timed out/);
    expect(text).toMatch(/380000008 .* did not appear; on the USB are: 1-5 1366:1015 000380000009/);
    expect(bench.calls("JLinkExe")).toEqual([]);
  });

  test("a board whose number the dictionary doesn't say is refused", async () => {
    const page = methodPage("boot-jlink");
    const dictionary = page.dictionary.replace(/.*board_id.*\n/, "");
    const { outcome } = await bench.run({ ...page, dictionary });
    expect(outcome.error_msg).toMatch(/has no board_id/);
  });
});

describe("pyocd", () => {
  const probe = { idVendor: "0d28", idProduct: "0204", serial: "0240000034544e45" };
  const script = `
    if (argv[0] !== "load") fail(2, "pyocd: error: argument cmd: invalid choice: '" + argv[0] + "'");
    const words = argv.slice(1), rest = [];
    while (words.length) {
      const word = words.shift();
      if (!word.startsWith("-")) rest.push(word);
      else if (["-t", "-f", "-a", "--uid"].includes(word)) { if (word === "--uid" && words[0] !== "0240000034544e45") fail(1, "No connected debug probe matches unique ID '" + words[0] + "'"); words.shift(); }
      else fail(2, "pyocd: error: unrecognized arguments: " + word);
    }
    if (rest.length !== 1 || !fs.existsSync(rest[0])) fail(1, "0001134:CRITICAL:__main__:[Errno 2] No such file");
    console.log("0001921 I Erased 16384 bytes");`;

  beforeEach(() => {
    bench.tool("pyocd", script);
    bench.serve("zephyr.bin", "zephyr");
    bench.onConsole(talkAlways);
    power(probe);
  });

  test("the page's job writes its image, then listens", async () => {
    const { outcome, text } = await bench.run(methodPage("boot-pyocd"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(bench.calls("pyocd")).toEqual([
      [
        "pyocd",
        "load",
        "-t",
        "kw41z4",
        "-f",
        "3000000",
        "-a",
        "0x0",
        "--uid",
        "0240000034544e45",
        expect.stringMatching(/zephyr\.bin$/),
      ],
    ]);
  });

  test("a probe that pyOCD doesn't find fails the job with its words", async () => {
    const page = methodPage("boot-pyocd");
    bench.tool("pyocd", `fail(1, "0000389 E No connected debug probe matches unique ID '12'");`);
    const { outcome } = await bench.run(page);
    expect(outcome.error_msg).toMatch(/^pyocd failed: exit code 1.*No connected debug probe/);
  });

  test.skipIf(
    lacking(!existsSync("/usr/bin/pyocd-flashtool"), "/usr/bin/pyocd-flashtool is missing"),
  )("the options for old boards are those of the old tool", () => {
    const help = execFileSync("pyocd-flashtool", ["--help"], { encoding: "utf8" });
    expect(help).toMatch(/-b BOARD_ID, --board BOARD_ID/);
    expect(help).toMatch(/-t TARGET/);
    expect(help).toMatch(/-f FREQUENCY/);
  });
});

describe("openocd", () => {
  beforeEach(() => {
    bench.serve("zephyr.elf", "elf");
    bench.onConsole(talkAlways);
  });

  test("the page's job runs the dictionary's commands with the image in them", async () => {
    bench.tool(
      "openocd",
      `const words = [...argv]; let last = "";
       while (words.length) {
         const word = words.shift();
         if (/^-d[0-4]$/.test(word)) continue;
         if (!["-s", "-f", "-c"].includes(word)) fail(1, "openocd: unrecognized option '" + word + "'");
         last = words.shift();
         const [, file] = /image (?:erase )?(\\S+)$/.exec(last) ?? [];
         if (file && !fs.existsSync(file)) fail(1, "Error: couldn't open " + file);
       }
       if (last !== "shutdown") setInterval(() => {}, 1000);`,
    );
    const { outcome, text } = await bench.run(methodPage("boot-openocd"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    const [[, ...words] = []] = bench.calls("openocd");
    expect(words.slice(0, 5)).toEqual([
      "-f",
      "board/ti_cc3220sf_launchpad.cfg",
      "-d2",
      "-c",
      "xds110_serial 01234567",
    ]);
    expect(words.filter((word) => word.startsWith("flash write_image erase "))).toEqual([
      expect.stringMatching(/^flash write_image erase SCRATCH\S+zephyr\.elf$/),
    ]);
  });

  test.skipIf(lacking(!existsSync("/usr/bin/openocd"), "/usr/bin/openocd is missing"))(
    "Debian's openocd takes the command line, with its adapter for nothing",
    async () => {
      const config = path.join(bench.folder, "board.cfg");
      writeFileSync(config, "adapter driver dummy\n");
      const page = methodPage("boot-openocd");
      const dictionary = `${page.dictionary}{% block body %}
board_id: "01234567"
usb_sleep: 0
actions:
  deploy:
    methods:
      image:
  boot:
    connections:
      serial:
    methods:
      openocd:
        board_selection_cmd: "adapter serial 01234567"
        parameters:
          command: /usr/bin/openocd
          options:
            search: [${bench.folder}]
            file: [board.cfg]
            command: ["echo {written {BINARY}}", "adapter name", "shutdown"]
            debug: 1
{% endblock body %}
`;
      const { outcome, text } = await bench.run({ ...page, dictionary });
      expect(outcome, text).toMatchObject({ result: "pass" });
      expect(text).toMatch(/>> written \/\S+zephyr\.elf/);
    },
  );
});

describe("cmsis-dap", () => {
  const link = "usb-MBED_microcontroller_02400201E8B77E4E154983F6-0:0";
  const probe = {
    idVendor: "0d28",
    idProduct: "0204",
    serial: "02400201E8B77E4E154983F6",
    tty: "ttyACM0",
  };
  const mount = `
    const [flag, options, device, folder, ...more] = argv;
    if (flag !== "-o" || options !== "rw,nosuid,nodev,noexec" || more.length) fail(1, "mount: bad usage");
    if (!fs.existsSync(device)) fail(32, "mount: " + folder + ": special device " + device + " does not exist.");
    if (!fs.statSync(folder).isDirectory() || fs.readdirSync(folder).length) fail(32, "mount: no mount point");`;
  const umount = `
    if (argv.length !== 1) fail(1, "umount: bad usage");
    fs.cpSync(argv[0], bench + "/board", { recursive: true });
    for (const name of fs.readdirSync(argv[0])) fs.rmSync(argv[0] + "/" + name, { recursive: true });`;

  beforeEach(() => {
    bench.tool("mount", mount);
    bench.tool("umount", umount);
    bench.serve("zephyr.bin", "zephyr");
    bench.onConsole(talkAlways);
    power(probe);
    symlinkSync("/dev/null", path.join(bench.folder, "dev/disk/by-id", link));
  });

  test("the page's job copies the image to the probe's disk", async () => {
    const { outcome, text } = await bench.run(methodPage("boot-cmsis-dap"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(existsSync(path.join(bench.folder, "board/zephyr.bin"))).toBe(true);
    expect(bench.calls().map(([name]) => name)).toEqual(["board-power", "mount", "umount"]);
  });

  test("a worker that may not mount says so, as a fault of the lab", async () => {
    bench.tool("mount", `fail(1, "mount: must be superuser to use mount.");`);
    const { outcome } = await bench.run(methodPage("boot-cmsis-dap"));
    expect(outcome).toMatchObject({ error_type: "Infrastructure" });
    expect(outcome.error_msg).toMatch(/must be superuser/);
    expect(bench.calls("umount")).toEqual([]);
  });

  test("a job that is given up leaves nothing mounted", async () => {
    mkdirSync(path.join(bench.folder, "sys/bus/usb/devices/1-2"), { recursive: true });
    bench.tool(
      "umount",
      `if (!fs.existsSync(bench + "/once")) { fs.writeFileSync(bench + "/once", ""); fail(32, "umount: target is busy."); }\n${umount}`,
    );
    const { outcome } = await bench.run(methodPage("boot-cmsis-dap"));
    expect(outcome.error_msg).toMatch(/target is busy/);
    expect(bench.calls("umount")).toHaveLength(2);
  });
});
