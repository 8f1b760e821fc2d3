import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, copyFileSync, cpSync, mkdirSync, mkdtempSync } from "node:fs";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PLATFORMS, workerFileName } from "#protocol/release.ts";
import { VERSION } from "#protocol/version.ts";
import { faultsOfBill } from "../support/cyclonedx.ts";
import { plainBoard, quickJob } from "../support/plain-board.ts";
import { root } from "../support/real-lab.ts";
import { releaseFromClone, type MadeRelease } from "../support/release-from-clone.ts";
import { bootScript, lacksForInits, makeInitTree } from "./init-tree.ts";

/*
 * A release of all platforms, looked at as docs/releases.md says; and on a machine that has nothing but a small Debian, a service manager and, for the server, Node.js:
 * installed, to the first job that is Complete.
 */

const problem = lacksForInits();
if (problem !== undefined) console.warn(`skipped: ${problem}`);

let folder: string;
let release: MadeRelease;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-release-"));
  release = releaseFromClone(folder);
});
afterAll(() => {
  release?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

test("it has every file of its page, and its bill of materials is one by CycloneDX", () => {
  const page = readFileSync(path.join(root, "docs/releases.md"), "utf8");
  const table = page.slice(page.indexOf("| file |"), page.indexOf("\n\n## Check"));
  const named = [...table.matchAll(/^\|([^|]+)\|/gm)]
    .slice(2)
    .flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name))
    .map((name) => (name.startsWith("-") ? `pumice-worker-linux${name}` : name))
    .map((name) => name.replace("VERSION", VERSION));
  expect(readdirSync(release.out).sort()).toEqual(named.sort());
  const bill = JSON.parse(readFileSync(path.join(release.out, "pumice.cdx.json"), "utf8"));
  expect(faultsOfBill(bill)).toEqual([]);
});

/** How each file is run on an x86-64; on another machine its own file is run as it is. */
const EMULATORS: Readonly<Record<string, string>> = {
  arm64: "qemu-aarch64-static -L /usr/aarch64-linux-gnu",
  arm: "qemu-arm-static -L /usr/arm-linux-gnueabihf",
  x64: "qemu-x86_64-static",
};
const PROCESSORS = { "linux-x64": "x64", "linux-arm64": "arm64", "linux-armv7": "arm" } as const;

test.each(PLATFORMS)("its file for %s runs", (platform) => {
  const processor = PROCESSORS[platform];
  const emulator = processor === process.arch ? "" : EMULATORS[processor];
  const file = path.join(release.out, workerFileName(platform));
  const said = (word: string) =>
    execFileSync("sh", ["-c", `exec ${emulator} "$0" ${word}`, file], { encoding: "utf8" });
  expect(said("--version")).toBe(`pumice-worker ${VERSION}\n`);
  expect(said("--help")).toContain("pumice-worker start ");
});

describe("the lines by which it is checked", () => {
  /** The page's lines under that heading, as a person types them in `place`. */
  const check = (place: string) => {
    const page = readFileSync(path.join(root, "docs/releases.md"), "utf8");
    const lines = /^## Check what[^]*?```sh\n([^]*?)```/m.exec(page)?.[1] ?? "exit 99";
    const key = path.join(folder, "release.key.pub");
    const script = `set -e\n${lines.replace("/path/to/release.key.pub", key)}`;
    const done = spawnSync("sh", ["-c", script], { cwd: place, encoding: "utf8" });
    return { status: done.status, said: done.stdout + done.stderr };
  };
  const copy = (name: string): string => {
    const place = path.join(folder, name);
    cpSync(release.out, place, { recursive: true });
    return place;
  };

  test("take it as it is", () => {
    const { status, said } = check(copy("as-it-is"));
    expect(status, said).toBe(0);
    expect(said).toContain("Signature Verified Successfully");
  });

  test("refuse a file that was changed, and sums that were made to fit", () => {
    const place = copy("changed");
    appendFileSync(path.join(place, "CHANGELOG.md"), "and a back door\n");
    expect(check(place)).toMatchObject({ status: 1, said: expect.stringContaining("FAILED") });
    execFileSync("sh", ["-c", "sha256sum $(cut -c67- SHA256SUMS) >new && mv new SHA256SUMS"], {
      cwd: place,
    });
    const { status, said } = check(place);
    expect(status, said).toBe(1);
    expect(said).toContain("Signature Verification Failure");
  });
});

/** What an administrator types, by what it is for. */
const CASES: Readonly<Record<string, string>> = {
  sums: "sha256sum -c SHA256SUMS",
  unpack: `tar -xzf pumice-server-${VERSION}.tar.gz -C /opt && ln -s /opt/pumice-${VERSION}/pumice /usr/local/bin/pumice`,
  "another Node.js":
    "printf '#!/bin/sh\\necho 20\\n' >/tmp/old && chmod +x /tmp/old && ! PUMICE_NODE=/tmp/old pumice --version 2>/tmp/refused && grep 'Node.js 24 or later is needed' /tmp/refused",
  version: `pumice --version | grep -F ${VERSION}`,
  serve:
    "pumice serve --data /var/lib/pumice --listen 127.0.0.1:0 >/tmp/serve.log 2>&1 & within grep http:// /tmp/serve.log",
  documentation:
    "node -e \"fetch(process.env.PUMICE_URL + '/docs').then(async (a) => process.exit(/Pumice/.test(await a.text()) ? 0 : 1))\"",
  // The server checks the manifest's signature by the key, and each file by the manifest.
  signed:
    "pumice releases trust release.key.pub && pumice releases add . && pumice releases | grep ready",
  services:
    "rm -rf /etc/runit/runsvdir/default/default-syslog; env -u PUMICE_URL -u PUMICE_TOKEN_FILE runsvdir -P /etc/service >/dev/null 2>&1 &",
  install: "chmod +x pumice-worker-linux-x64 && ./pumice-worker-linux-x64 install --init runit",
  enrol:
    "pumice workers enrol bench --add | tail -n 1 >/tmp/line && grep '^pumice-worker enrol ' /tmp/line && sh /tmp/line",
  online: "within sh -c 'pumice workers | grep Online'",
  device: "pumice devices add board-01 --type plain --worker bench --dictionary /root/board.jinja2",
  job: "pumice submit /root/job.yaml --watch",
};

const SCRIPT = `
within() { for try in $(seq 120); do "$@" >/dev/null 2>&1 && return; sleep 0.5; done; return 1; }
address() { sed -n 's|.*\\(http://[^ ]*\\).*|\\1|p' /tmp/serve.log 2>/dev/null | head -n 1; }
export PUMICE_TOKEN_FILE=/var/lib/pumice/admin-token
mount -t devpts -o newinstance,mode=620,gid=5,ptmxmode=666 devpts /dev/pts
cd /root/release
`;

test.skipIf(problem)("a release becomes a lab whose first job is Complete", async () => {
  const tree = path.join(folder, "tree");
  mkdirSync(tree);
  execFileSync("tar", ["-C", tree, "-xf", makeInitTree(console.error)]);
  cpSync(release.out, path.join(tree, "root/release"), { recursive: true });
  copyFileSync(process.execPath, path.join(tree, "usr/local/bin/node"));
  writeFileSync(path.join(tree, "usr/local/bin/board"), BOARD);
  const dictionary = plainBoard(
    "{% set connection_command = 'sh /usr/local/bin/board' %}",
    // Its power stays on: it begins with the connection.
    "{% set hard_reset_command = '/bin/true' %}",
  );
  writeFileSync(path.join(tree, "root/board.jinja2"), dictionary);
  writeFileSync(path.join(tree, "root/job.yaml"), quickJob(ACTIONS));
  const steps = Object.entries(CASES).map(
    ([title, command]) =>
      `export PUMICE_URL=$(address)\n( ${command}\n) >/tmp/said 2>&1 && echo "case ${title}: pass" || { echo "case ${title}: fail"; cat /tmp/said; }`,
  );
  const end = "cat /tmp/serve.log /var/log/pumice-worker/current";
  writeFileSync(path.join(tree, "script"), `${SCRIPT}${steps.join("\n")}\n${end}\n`);
  const said = await boot(tree);
  const results = [...said.matchAll(/^case (.+): (pass|fail)$/gm)].map((found) => found.slice(1));
  expect(results, said).toEqual(Object.keys(CASES).map((title) => [title, "pass"]));
});

/** A shell on a terminal is board enough. */
const BOARD = "stty sane\nexport ENV= PS1='board:~# '\nexec sh -i\n";

const ACTIONS = `- boot:
    method: minimal
    parameters: {kernel-start-message: ''}
    prompts: ['board:~# ']
- test:
    interactive:
    - name: shell
      prompts: ['board:~# ']
      echo: discard
      script:
      - {name: arithmetic, command: 'echo $((6 * 7))', successes: [{message: '42'}]}
`;

/** Runs the machine until its script ends; what it said. */
async function boot(tree: string): Promise<string> {
  const machine = spawn(...bootScript(tree), { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [machine.stdout, machine.stderr]) {
    stream?.on("data", (data: Buffer) => (said += String(data)));
  }
  await once(machine, "close");
  return said;
}
