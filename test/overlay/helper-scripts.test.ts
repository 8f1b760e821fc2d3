import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { helperScripts } from "../../worker/overlay/helper-scripts.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-helpers-"));
afterAll(() => rmSync(dir, { recursive: true }));

const facts = {
  jobId: 42,
  targetIp: "10.0.0.7",
  targetMac: undefined,
  storage: [
    ["SATA", "/dev/disk/by-id/ata-one"],
    ["USB", "it's a stick"],
    ["SATA", "/dev/disk/by-id/ata-two"],
  ] as const,
  probeIps: ["10.0.0.9"],
  probeChannels: [],
};
const SYSTEMS = [
  undefined,
  ..."debian ubuntu apertis fedora centos oe archlinux slackware".split(" "),
];

/** The same scripts under each shell that a DUT may have: a shebang takes one argument, so by wrapper. */
const SHELLS = [
  ["/bin/sh", "/bin/sh"],
  ["busybox", wrapper("busybox-sh", 'exec busybox sh "$@"')],
] as const;

function wrapper(name: string, body: string): string {
  const file = path.join(dir, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return file;
}

function install(shell: string, name: string): string {
  const bin = path.join(dir, name, "bin");
  mkdirSync(bin, { recursive: true });
  for (const [script, text] of helperScripts("/bin/sh", undefined, facts)) {
    // The kernel runs no script as a script's interpreter.
    const header =
      shell === "/bin/sh" ? text : text.replace("#!/bin/sh", `#!/usr/bin/env ${shell}`);
    writeFileSync(path.join(bin, script), header, { mode: 0o755 });
  }
  return bin;
}

describe("the scripts of every distribution", () => {
  test.each(SYSTEMS)("are read by dash and busybox (os %s)", (os) => {
    for (const [name, text] of helperScripts("/bin/sh", os, facts)) {
      expect(text.startsWith("#!/bin/sh\n\n"), name).toBe(true);
      for (const shell of [["dash"], ["busybox", "sh"]] as [string, ...string[]][]) {
        const [program, ...args] = shell;
        const { status, stderr } = spawnSync(program, [...args, "-n"], {
          input: text,
          encoding: "utf8",
        });
        expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: "" });
      }
    }
  });

  test("start with the shell that the deployment asks for", () => {
    expect(helperScripts("/bin/bash", "debian", facts).get("lava-test-case")).toMatch(
      /^#!\/bin\/bash\n\n/,
    );
  });
});

describe.each(SHELLS)("under %s", (name, shell) => {
  const bin = install(shell, name.replace(/\W/g, ""));
  const results = path.join(dir, `results-${path.basename(shell)}`);
  const env = { PATH: `${bin}:${process.env["PATH"]}`, LAVA_RESULT_DIR: results };
  const sh = (line: string, more: Record<string, string> = {}): [number | null, string] => {
    const ran = spawnSync(shell, ["-c", line], { env: { ...env, ...more }, encoding: "utf8" });
    return [ran.status, ran.stdout + ran.stderr];
  };

  test.each<[string, number, string]>([
    [
      "lava-test-case boot --result pass --measurement 1.5 --units s",
      0,
      "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=boot RESULT=pass UNITS=s MEASUREMENT=1.5>\n",
    ],
    [
      "lava-test-case words --shell echo 'two  words'",
      0,
      "<LAVA_SIGNAL_STARTTC words>\ntwo  words\n<LAVA_SIGNAL_ENDTC words>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=words RESULT=pass>\n",
    ],
    [
      "lava-test-case line --shell 'echo a; exit 3'",
      0,
      "<LAVA_SIGNAL_STARTTC line>\na\n<LAVA_SIGNAL_ENDTC line>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=line RESULT=fail>\n",
    ],
    ["lava-test-case none --measurement 3", 1, "--result must be specified\n"],
    ["lava-test-set start group", 0, "<LAVA_SIGNAL_TESTSET START group>\n"],
    ["lava-test-set stop", 0, "<LAVA_SIGNAL_TESTSET STOP>\n"],
    [
      "lava-test-reference ref --result fail --reference http://x/y",
      0,
      "<LAVA_SIGNAL_TESTREFERENCE ref fail http://x/y>\n",
    ],
    ["lava-test-raise it is over", 1, "<LAVA_SIGNAL_TESTRAISE it is over>\n"],
    ["lava-test-event 'now \\n'", 0, "<LAVA_SIGNAL_TESTEVENT now \\n>\n"],
    ["lava-test-feedback --namespace other", 0, "<LAVA_SIGNAL_TESTFEEDBACK other>\n"],
    ["lava-target-ip", 0, "10.0.0.7\n"],
    ["lava-target-mac", 1, ""],
    ["lava-target-storage SATA", 0, "/dev/disk/by-id/ata-one\n/dev/disk/by-id/ata-two\n"],
    ["lava-target-storage MMC", 1, ""],
    [
      "lava-target-storage | tail -n 2",
      0,
      "\tUSB\tit's a stick\n\tSATA\t/dev/disk/by-id/ata-two\n",
    ],
    ["lava-probe-ip", 0, "10.0.0.9\n"],
    ["lava-probe-channel", 1, ""],
    ["lava-self", 0, "42\n"],
    ["lava-echo-ipv4 lo", 0, "127.0.0.1\n"],
  ])("%s", (line, status, printed) => {
    expect(sh(line)).toEqual([status, printed]);
  });

  test("an unknown option of lava-test-case shows how to use it", () => {
    const [status, printed] = sh("lava-test-case x --what y");
    expect([status, printed.split("\n")[0]]).toEqual([
      1,
      "Usage: lava-test-case TEST_CASE_ID --shell COMMAND...",
    ]);
  });

  test("the content of --output stands between start and end", () => {
    const file = path.join(dir, "output");
    writeFileSync(file, "line 1\nline 2\n");
    expect(sh(`lava-test-case out --result PASS --output ${file}`)[1]).toBe(
      "<LAVA_SIGNAL_STARTTC out>\nline 1\nline 2\n<LAVA_SIGNAL_ENDTC out>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=out RESULT=PASS>\n",
    );
  });

  test("a result is kept in a file too", () => {
    sh("lava-test-case kept --result skip --units s --measurement 7");
    const kept = path.join(results, "results/kept");
    expect(readFileSync(path.join(kept, "result"), "utf8")).toBe("skip\n");
    expect(readFileSync(path.join(kept, "measurement"), "utf8")).toBe("7\n");
  });

  test("with CHARACTER_DELAY a signal waits first", () => {
    const noted = path.join(dir, "slept");
    const fake = `${path.dirname(wrapper("sleep", `echo "$1" >${noted}`))}:${env.PATH}`;
    sh("lava-test-set stop", { CHARACTER_DELAY: "0.2", PATH: fake });
    expect(readFileSync(noted, "utf8")).toBe("0.2\n");
    rmSync(path.join(dir, "sleep"));
  });

  test("a background process is started again when it ends, and stopped with its child", () => {
    const line = `lava-background-process-start beat --cmd 'echo beat >>${dir}/beats; sleep 300'
      pid=$(cat $LAVA_RESULT_DIR/results/beat/pid)
      until [ -s ${dir}/beats ]; do :; done
      lava-background-process-stop beat; echo "stop $?"
      # Ended, whether or not somebody has asked for its exit code yet.
      while s=$(cut -d' ' -f3 /proc/$pid/stat 2>/dev/null) && [ "$s" != Z ]; do :; done
      echo gone`;
    expect(sh(line)).toEqual([0, "stop 0\ngone\n"]);
    rmSync(path.join(dir, "beats"));
  });

  test("generic systems say what would be installed, and go on", () => {
    const [status, printed] = sh("lava-install-packages one two");
    expect(status).toBe(0);
    expect(printed).toContain("Packages to install: one two");
  });
});

test("apt's packages are tried five times", () => {
  const bin = path.join(dir, "apt");
  mkdirSync(bin);
  writeFileSync(
    path.join(bin, "apt-get"),
    `#!/bin/sh\necho "$*" >>${dir}/calls\n[ "$1" = update ]\n`,
    {
      mode: 0o755,
    },
  );
  const script = helperScripts("/bin/sh", "debian", facts).get("lava-install-packages") ?? "";
  const env = { PATH: `${bin}:${process.env["PATH"]}`, LAVA_RETRY_SECONDS: "0" };
  expect(() =>
    execFileSync("/bin/sh", ["-s", "a", "b"], {
      input: script,
      env,
      stdio: ["pipe", "ignore", "ignore"],
    }),
  ).toThrow();
  const calls = readFileSync(path.join(dir, "calls"), "utf8").trim().split("\n");
  expect(calls).toEqual(["update", ...Array.from({ length: 5 }, () => "install -y -q a b")]);
});
