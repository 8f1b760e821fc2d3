import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { methodPage } from "../../support/method-page.ts";
import { startToolBench, type ToolBench } from "../../support/tool-bench.ts";

let bench: ToolBench;
beforeEach(async () => {
  bench = await startToolBench();
  bench.tool("docker", DOCKER);
  for (const name of ["rom.bin", "tests.bin", "bl1.bin", "Image"]) bench.serve(name, name);
});
afterEach(() => bench.close());

/** A client that knows what is asked of it, and a model with two consoles on TCP. */
const DOCKER = String.raw`
const net = require("node:net");
const [verb, ...words] = argv;
const pidFile = (name) => bench + "/pid-" + name;
const RUN = /^--(rm|init|interactive|(name|label|hostname|cpus|workdir|env|mount|network)=.+)$/;
const model = (args, name) => {
  if (args[0] === "--version") return console.log("\n" + fs.readFileSync(bench + "/version", "utf8") + "\nCopyright Arm");
  for (const word of args) {
    const [, file] = /='?(\/[^'@]+)'?(@|$)/.exec(word) ?? [];
    if (file && !fs.existsSync(file)) fail(1, "ERROR: cannot open " + file);
  }
  fs.writeFileSync(pidFile(name), String(process.pid));
  fs.writeFileSync(bench + "/arguments", JSON.stringify(args.map((word) => word.replace(/\/\S*\//g, ""))));
  const heard = bench + "/heard";
  const terminal = (banner, answer, waits) => net.createServer((socket) => {
    const speak = () => (waits && !fs.existsSync(heard) ? setTimeout(speak, 20) : socket.write(banner));
    speak();
    socket.on("data", () => socket.write(answer));
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  const first = terminal("Linux version 6.1\r\nroot@fvp:~# ", "\r\nroot@fvp:~# ", args.some((word) => word.includes("bl1")));
  const second = terminal("secure world is up\r\n", "");
  first.on("listening", () => setTimeout(() => {
    console.log("terminal_1: Listening for serial connection on port " + second.address().port);
    console.log("terminal_0: Listening for serial connection on port " + first.address().port);
    console.log("terminal0: Listening for serial connection on port " + first.address().port);
  }, 50));
};
if (verb === "image") console.log("amd64");
else if (verb === "run") {
  const options = [];
  while (words[0].startsWith("--")) options.push(words.shift());
  const bad = options.find((word) => !RUN.test(word));
  if (bad) fail(125, "unknown flag: " + bad);
  const [image, program, ...args] = words;
  if (!/^(foundation:11\.8|fvp_rd:1)$/.test(image) || !program.startsWith("/opt/model/")) fail(125, "no such image " + image);
  model(args, options.find((word) => word.startsWith("--name=")).slice(7));
} else if (verb === "exec") {
  const [flag, name, program, ...args] = words;
  if (flag !== "--interactive" || !fs.existsSync(pidFile(name))) fail(1, "Error: No such container: " + name);
  if (program === "telnet") {
    const socket = net.connect(Number(args[1]), args[0] === "localhost" ? "127.0.0.1" : args[0]);
    console.log("Trying 127.0.0.1...");
    socket.on("error", () => process.exit(1));
    process.stdin.pipe(socket);
    socket.on("data", (bytes) => { fs.writeSync(1, bytes); fs.writeFileSync(bench + "/heard", ""); });
    socket.on("end", () => process.exit(0));
  } else {
    const done = require("node:child_process").spawnSync(program, args, { stdio: "inherit" });
    setInterval(() => {}, 1000);
    if (done.status) process.exit(done.status);
  }
} else if (verb === "kill" || verb === "rm") {
  const file = pidFile(words.at(-1));
  if (fs.existsSync(file)) { try { process.kill(Number(fs.readFileSync(file))); } catch {} fs.rmSync(file); }
  else fail(1, "Error: No such container: " + words.at(-1));
} else fail(1, "docker: '" + verb + "' is not a docker command.");`;

const version = (text: string): void => writeFileSync(path.join(bench.folder, "version"), text);

describe("fvp", () => {
  test("the page's job finds its consoles by what the model says, and logs in", async () => {
    version("ARM V8 Foundation Platformr0p0 [11.8.21]");
    const { outcome, text, results, records } = await bench.run(methodPage("boot-fvp"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(results).toContainEqual(
      expect.objectContaining({
        case: "fvp-version",
        result: "pass",
        extra: { "fvp-version": "ARM V8 Foundation Platformr0p0 [11.8.21]" },
      }),
    );
    expect(JSON.parse(readFileSync(path.join(bench.folder, "arguments"), "utf8"))).toEqual([
      "--cores=4",
      "--data=bl1.bin@0x0",
      "--data=Image@0x80080000",
    ]);
    const said = records.find(({ msg }) => msg === "secure world is up");
    expect(said).toMatchObject({ lvl: "feedback", ns: "terminal_1" });
    expect(records.find(({ msg }) => msg === "Linux version 6.1")?.lvl).toBe("target");
    const run = bench.calls("docker").filter(([, verb]) => verb === "run");
    expect(run[1]).toEqual(expect.arrayContaining(["--cpus=2", "--hostname=lava"]));
    expect(bench.calls("docker").at(-2)?.[1]).toBe("kill");
  });

  test("commands in the container are the console of what follows", async () => {
    version("Fast Models [11.27.31]");
    const { outcome, text, results } = await bench.run(methodPage("deploy-fvp"));
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(results).toContainEqual(expect.objectContaining({ case: "first", result: "pass" }));
  });

  test("a model of another version is refused, with what it said", async () => {
    version("Fast Models [11.27.31]");
    const { outcome, results } = await bench.run(methodPage("boot-fvp"));
    expect(outcome).toMatchObject({ error_type: "Job" });
    expect(outcome.error_msg).toMatch(/Foundation_Platform --version: expected .* it said/);
    expect(results).toContainEqual(
      expect.objectContaining({ case: "fvp-version", result: "fail" }),
    );
  });

  test.each([
    [
      /\(\?P<PORT>\\d\+\)'\n {6}feedbacks/,
      "5000'\n      feedbacks",
      /expected a group \(\?P<PORT>/,
    ],
    ["name: 'foundation:11.8'", "name: '--privileged'", /docker image name/],
    ["prompts:", "environment: ['LD_PRELOAD']\n      prompts:", /expected NAME=VALUE/],
    [
      "prompts:",
      "ubl_license: /etc/shadow\n      prompts:",
      /expected the absolute path of a license/,
    ],
  ])("a block with %s as %s is refused before anything runs", async (from, to, message) => {
    const page = methodPage("boot-fvp");
    const { outcome } = await bench.run({ ...page, job: page.job.replace(from, to) });
    expect(outcome.error_msg).toMatch(message);
    expect(bench.calls()).toEqual([]);
  });
});
