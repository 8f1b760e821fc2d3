import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { methodPage } from "../../support/method-page.ts";
import { startToolBench, type ToolBench } from "../../support/tool-bench.ts";
import { lacking } from "../../support/lacking.ts";

let bench: ToolBench;
beforeEach(async () => void (bench = await startToolBench()));
afterEach(() => bench.close());

describe("dfu", () => {
  const board = { idVendor: "045b", idProduct: "0239", serial: "LCES2-0xf775916400000000" };
  const script = `
    const known = ["--serial", "--device", "--alt", "--download", "--reset"], given = {};
    for (let i = 0; i < argv.length; i++) {
      if (!known.includes(argv[i])) fail(64, "dfu-util: unrecognized option '" + argv[i] + "'");
      if (argv[i] !== "--reset") given[argv[i]] = argv[++i];
    }
    if (!fs.existsSync(given["--download"])) fail(74, "dfu-util: Could not open file");
    if (given["--device"] !== "045b:0239") fail(74, "dfu-util: No DFU capable USB device available");
    console.log("Done!");`;

  /** U-Boot, as far as its DFU goes. */
  const uBoot = (socket: Socket): void => {
    let line = "";
    socket.on("data", (bytes) => {
      for (const character of bytes.toString("latin1")) {
        if (character === "\u0003") {
          socket.write("\r\n=> ");
        } else if (character === "\n" || character === "\r") {
          const typed = line.trim();
          line = "";
          if (typed === "dfu") {
            bench.plug("1-4", board);
            socket.write("\r\nusing id 'nand0,1'\r\nDOWNLOAD ... OK\r\nCtrl+C to exit ...\r\n");
          } else socket.write("\r\n=> ");
        } else {
          line += character;
          socket.write(character);
        }
      }
    });
    // It starts again and again, whenever the lab switches its power.
    const timer = setInterval(() => socket.write("\r\nHit any key to stop autoboot:  3 "), 50);
    for (const event of ["data", "close"]) socket.once(event, () => clearInterval(timer));
  };

  beforeEach(() => {
    bench.tool("board-power", "");
    bench.tool("dfu-util", script);
    bench.serve("fsbl.img", "fsbl");
    bench.serve("kernel.itb", "kernel");
    bench.onConsole(uBoot);
  });

  test("the page's job enters U-Boot's DFU and writes each image", async () => {
    const { outcome, text } = await bench.run(methodPage("boot-dfu"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    const call = (alt: string, file: RegExp) => [
      "dfu-util",
      "--serial",
      board.serial,
      "--device",
      "045b:0239",
      "--alt",
      alt,
      "--download",
      expect.stringMatching(file) as string,
    ];
    expect(bench.calls("dfu-util")).toEqual([
      call("sf_fsbl", /fsbl\.img$/),
      call("n_kernel1", /kernel\.itb$/),
    ]);
    expect(text).toMatch(/input nand erase\.part fs1/);
    expect(text).toContain("input \u0003");
  });

  test("a board that went away fails the job with the tool's words", async () => {
    bench.tool("dfu-util", `fail(74, "dfu-util: No DFU capable USB device available");`);
    const { outcome } = await bench.run(methodPage("boot-dfu"));
    expect(outcome).toMatchObject({ error_type: "Job" });
    expect(outcome.error_msg).toMatch(/dfu-util failed: exit code 74.*No DFU capable/);
  });

  test.skipIf(lacking(!existsSync("/usr/bin/dfu-util"), "/usr/bin/dfu-util is missing"))(
    "Debian's dfu-util takes the words and looks for the device",
    async () => {
      bench.tool(
        "dfu-util",
        `const done = require("node:child_process").spawnSync("/usr/bin/dfu-util", argv, { stdio: "inherit" }); process.exit(done.status);`,
      );
      const { outcome } = await bench.run(methodPage("boot-dfu"));
      expect(outcome.error_msg).toMatch(/exit code 74.*No DFU capable USB device available/);
    },
  );
});
