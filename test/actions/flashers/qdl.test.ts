import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { methodPage } from "../../support/method-page.ts";
import { startToolBench, type ToolBench } from "../../support/tool-bench.ts";
import { lacking } from "../../support/lacking.ts";

let bench: ToolBench;
beforeEach(async () => {
  bench = await startToolBench();
  bench.tool("board-power", `unplug("1-1");`);
  bench.tool(
    "board-key",
    `plug("1-1", { idVendor: "05c6", idProduct: "9008", product: "QUSB_BULK_CID:0402_SN:1FD28E3F" });`,
  );
  bench.tool("qdl", QDL);
  bench.serve("qcomflash.tar.gz", aPackage());
});
afterEach(() => bench.close());

const QDL = `
  if (argv[0] === "--version") { console.log("qdl version v2.3"); process.exit(0); }
  const files = argv.filter((word) => !word.startsWith("-")), options = argv.filter((word) => word.startsWith("-"));
  for (const option of options) {
    if (!/^--(debug|serial=\\w+|storage=(emmc|nand|nvme|spinor|ufs))$/.test(option)) fail(1, "qdl: unrecognized option '" + option + "'");
  }
  if (!options.includes("--serial=1FD28E3F")) fail(1, "Waiting for EDL device");
  for (const file of files) if (!fs.existsSync(file)) fail(1, "qdl: unable to open " + file);
  if (fs.existsSync("rootfs.img")) fs.copyFileSync("rootfs.img", bench + "/flashed.img");
  console.log("flashed \\"system\\" successfully");`;

/** An archive as Qualcomm's builds make them, with a small root file system. */
function aPackage(change: (folder: string) => void = () => {}): Buffer {
  const folder = path.join(bench.folder, "package");
  mkdirSync(path.join(folder, "root/etc"), { recursive: true });
  for (const name of [
    "prog_firehose_ddr.elf",
    "rawprogram0.xml",
    "rawprogram1.xml",
    "patch0.xml",
  ]) {
    const kind = name.startsWith("patch") ? "patches" : "data";
    const text = `<?xml version="1.0" encoding="UTF-8" ?>\n<!-- it's made -->\n<${kind}>\n<program filename="rootfs.img" label="system"/>\n</${kind}>\n`;
    writeFileSync(path.join(folder, name), name.endsWith(".xml") ? text : name);
  }
  execFileSync("/sbin/mke2fs", [
    "-q",
    "-t",
    "ext4",
    "-d",
    path.join(folder, "root"),
    path.join(folder, "rootfs.img"),
    "16M",
  ]);
  change(folder);
  const file = path.join(bench.folder, "package.tar.gz");
  execFileSync("tar", ["-C", folder, "-czf", file, "--exclude=./root", "."]);
  return readFileSync(file);
}

test("the page's job writes the package to the board with the device's number", async () => {
  const { outcome, text } = await bench.run(methodPage("boot-qdl"));
  expect(outcome, text).toMatchObject({ result: "pass" });
  expect(bench.calls()).toEqual([
    ["qdl", "--version"],
    ["board-power", "cycle"],
    ["board-key", "force-usb"],
    [
      "qdl",
      "--serial=1FD28E3F",
      "--debug",
      "--storage=ufs",
      "prog_firehose_ddr.elf",
      "rawprogram0.xml",
      "rawprogram1.xml",
      "patch0.xml",
    ],
  ]);
});

test("the overlay is in the root file system that is written", async () => {
  bench.onConsole((socket) => {
    socket.on("data", () => socket.write("\r\nroot@debian:~# "));
  });
  const page = methodPage("deploy-qdl");
  // Only the writing: the system that starts from it is not here.
  bench.tool(
    "board-power",
    `if (fs.existsSync(bench + "/flashed.img")) fail(1, "enough"); unplug("1-1");`,
  );
  const { outcome } = await bench.run(page);
  expect(outcome.error_msg).toMatch(/Unable to reboot.*enough/);
  const list = execFileSync(
    "/sbin/debugfs",
    ["-R", "ls -p /lava-1", path.join(bench.folder, "flashed.img")],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  expect(list).toMatch(/\/bin\//);
});

test("a link of the package to a file of the worker is refused", async () => {
  bench.serve(
    "qcomflash.tar.gz",
    aPackage((folder) => symlinkSync("/etc/shadow", path.join(folder, "boot.img"))),
  );
  const { outcome } = await bench.run(methodPage("boot-qdl"));
  expect(outcome).toMatchObject({ error_type: "Job" });
  expect(bench.calls()).toEqual([["qdl", "--version"]]);
});

test.each([
  '<data><program filename="/etc/shadow"/></data>',
  '<data><program filename="../../../ticket.json"/></data>',
  "<data><program\nFILENAME = '../x'/></data>",
  '<data><program filename="&#47;etc/shadow"/></data>',
  '<!DOCTYPE data [<!ENTITY x "/etc/shadow">]><data><program filename="&x;"/></data>',
  '<?xml version="1.0" encoding="UTF-7"?><data><program +AGYAaQBsAGUAbgBhAG0AZQ-="+AC8-etc"/></data>',
  `<data><!-- filename=' --><program filename="/etc/shadow" label='x'/></data>`,
  `<data><program label="filename='" filename="/etc/shadow" x="'"/></data>`,
  `<data> filename=' <program filename="/etc/shadow" x='x'/></data>`,
  "<contents><file_path>/etc</file_path></contents>",
])("a description that could name a file of the worker is refused: %s", async (text) => {
  bench.serve(
    "qcomflash.tar.gz",
    aPackage((folder) => writeFileSync(path.join(folder, "rawprogram1.xml"), text)),
  );
  const { outcome } = await bench.run(methodPage("boot-qdl"));
  expect(outcome).toMatchObject({
    error_type: "Job",
    error_msg: expect.stringContaining("rawprogram1.xml"),
  });
  expect(bench.calls().filter(([program]) => program === "qdl")).toEqual([["qdl", "--version"]]);
});

test("a name that leaves the package is refused before the board is touched", async () => {
  const page = methodPage("boot-qdl");
  const { outcome } = await bench.run({
    ...page,
    job: page.job.replace("patch0.xml", "../../x.xml"),
  });
  expect(outcome.error_msg).toMatch(/patch: '\.\.\/\.\.\/x\.xml': expected a relative path/);
});

test("what qdl says is in the failure", async () => {
  const page = methodPage("boot-qdl");
  const { outcome } = await bench.run({
    ...page,
    job: page.job.replace("patch0.xml", "patch7.xml"),
  });
  expect(outcome.error_msg).toMatch(/qdl failed: exit code 1.*unable to open patch7\.xml/);
});

test.skipIf(lacking(!existsSync("/usr/bin/qdl"), "/usr/bin/qdl is missing"))(
  "Debian 12's qdl is refused: it can't tell boards apart",
  async () => {
    bench.tool(
      "qdl",
      `const done = require("node:child_process").spawnSync("/usr/bin/qdl", argv, { stdio: "inherit" }); process.exit(done.status);`,
    );
    const { outcome } = await bench.run(methodPage("boot-qdl"));
    expect(outcome.error_msg).toMatch(/qdl 2\.0 or later is needed/);
  },
);
