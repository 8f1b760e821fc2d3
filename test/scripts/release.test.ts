import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VERSION } from "#protocol/version.ts";
import { changelog } from "../../scripts/release-files/changelog.ts";
import { committedIn, packFolder } from "../../scripts/release-files/pack-folder.ts";
import { softwareBill } from "../../scripts/release-files/software-bill.ts";
import { faultsOfBill } from "../support/cyclonedx.ts";
import { root } from "../support/real-lab.ts";
import { writeSigner } from "../support/release-from-clone.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(path.join(tmpdir(), "pumice-release-test-"))));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (...names: string[]): string => path.join(folder, ...names);

/** What scripts/release says in a checkout that it refuses. */
function refused(checkout: string, ...args: string[]): string {
  const file = path.join(checkout, "scripts/release-files/release.ts");
  const env = { ...process.env, PUMICE_RELEASE_KEY: "" };
  const { status, stderr, stdout } = spawnSync(process.execPath, [file, ...args], {
    encoding: "utf8",
    env,
  });
  expect(stdout).toBe("");
  expect(status).toBe(2);
  return stderr;
}

describe("a release is refused", () => {
  const refusal = (...args: string[]) => refused(root, ...args);
  test("of another version than the sources'", () => {
    expect(refusal("9.9.9")).toBe(
      `release: the sources are ${VERSION}, not 9.9.9: change it in package.json and control-plane/protocol/version.ts, and commit\n`,
    );
    expect(refusal()).toContain("a version is needed");
  });

  test("for a platform or an option that there is not", () => {
    expect(refusal(VERSION, "mips")).toContain("no platform is called mips: expected x64, arm64");
    expect(refusal(VERSION, "--sing", "x")).toContain("Unknown option '--sing'");
  });

  test("into a folder that is there", () => {
    expect(refusal(VERSION, "--out", folder)).toContain(`${folder} is there already`);
  });

  test("without a key, with one that is none, and with one whose public half is another's", () => {
    const out = ["--out", at("none")];
    expect(refusal(VERSION, ...out)).toContain("a release is signed: --key FILE");
    writeFileSync(at("rubbish"), "rubbish\n");
    expect(refusal(VERSION, ...out, "--key", at("rubbish"))).toContain(
      "can't be read as a private",
    );
    const key = writeSigner(folder, "ours");
    writeSigner(folder, "theirs");
    writeFileSync(`${key}.pub`, readFileSync(at("theirs.pub")));
    expect(refusal(VERSION, ...out, "--key", key)).toBe(
      `release: ${key} is not the key whose public half is in ${key}.pub\n`,
    );
  });

  test("of a checkout with changes, a file that git does not know too", () => {
    // Inside of this one, whose packages it finds.
    const place = mkdtempSync(path.join(root, "dist.release-"));
    try {
      const checkout = path.join(place, "checkout");
      execFileSync("git", ["clone", "--quiet", "--local", root, checkout]);
      const key = writeSigner(folder, "good");
      writeFileSync(path.join(checkout, "README.md"), "another\n");
      writeFileSync(path.join(checkout, "device-templates/own.jinja2"), "");
      expect(refused(checkout, VERSION, "--key", key, "--out", at("none"))).toBe(
        "release: the checkout has changes that no commit has:\n M README.md\n?? device-templates/own.jinja2\n",
      );
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});

test("an archive of the same files is the same, whatever their times, modes and order", async () => {
  const archives = [];
  for (const [name, files, mode, time] of [
    ["one", ["a", "b"], 0o600, 1],
    ["two", ["b", "a"], 0o664, 1_000_000_000],
  ] as const) {
    mkdirSync(at(name, "top"), { recursive: true, mode: mode === 0o600 ? 0o700 : 0o775 });
    for (const file of files) {
      writeFileSync(at(name, "top", file), `this is ${file}\n`);
      chmodSync(at(name, "top", file), mode);
      utimesSync(at(name, "top", file), time, time);
    }
    const into = at(`${name}.tar.gz`);
    await packFolder({ from: at(name), into, seconds: 1_700_000_000, members: ["top"] });
    archives.push(readFileSync(into).toString("hex"));
  }
  expect(archives[1]).toBe(archives[0]);
  const listed = execFileSync("tar", ["-tvzf", at("one.tar.gz"), "--utc", "--full-time"]);
  expect(String(listed).trim().split("\n")).toEqual([
    "drwxr-xr-x 0/0               0 2023-11-14 22:13:20 top/",
    "-rw-r--r-- 0/0              10 2023-11-14 22:13:20 top/a",
    "-rw-r--r-- 0/0              10 2023-11-14 22:13:20 top/b",
  ]);
});

test("an archive has what is committed, and no token that git ignores", () => {
  const checkout = at("with-token");
  mkdirSync(path.join(checkout, "infra/terraform"), { recursive: true });
  for (const [name, text] of Object.entries({
    ".gitignore": "*.admin-token\n",
    "infra/terraform/main.tf": "\n",
    "infra/terraform/lab.admin-token": "secret\n",
  })) {
    writeFileSync(path.join(checkout, name), text);
  }
  for (const args of [
    ["init", "-q"],
    ["add", "."],
  ]) {
    execFileSync("git", args, { cwd: checkout });
  }
  expect(committedIn(path.join(checkout, "infra"), ["terraform", "containers"])).toEqual([
    "terraform/main.tf",
  ]);
});

test("changes are those since the version before, by area, and none that only tidies", () => {
  const repository = at("repository");
  mkdirSync(path.join(repository, "worker"), { recursive: true });
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      cwd: repository,
    });
  const commit = (subject: string, file: string) => {
    writeFileSync(path.join(repository, file), subject);
    git("add", ".");
    git("commit", "-q", "-m", subject);
  };
  git("init", "-q");
  commit("The first worker", "worker/a");
  expect(changelog(repository, "0.1.0")).toMatch(
    /^# Pumice 0\.1\.0\n\nThe first release.*\n\n## Worker\n\n- The first worker \(\w{12}\)\n$/,
  );
  git("tag", "v0.1.0");
  commit("A board that *never* answers", "worker/b");
  commit("Format", "worker/c");
  commit("Words", "README.md");
  git("tag", "v0.2.0");
  const text = changelog(repository, "0.2.0").replaceAll(/ \(\w{12}\)/g, "");
  expect(text).toBe(
    "# Pumice 0.2.0\n\nSince v0.1.0.\n\n## Worker\n\n- A board that \\*never\\* answers\n\n## Documentation\n\n- Words\n",
  );
});

test("the bill names for each file what is in it, with the hashes that npm pins", async () => {
  const part = (name: string, version: string) => ({ name, version, license: "MIT" });
  const bill = (await softwareBill({
    version: VERSION,
    commit: "c".repeat(40),
    seconds: 0,
    files: [
      { name: "LICENSE", sha256: "1".repeat(64), platform: undefined },
      { name: "pumice-worker-linux-x64", sha256: "2".repeat(64), platform: "linux-x64" },
      { name: `pumice-lambda-${VERSION}.zip`, sha256: "3".repeat(64), platform: undefined },
    ],
    parts: {
      client: [part("uplot", "1.6.32")],
      lambda: [part("hono", "4.13.19")],
      pumice: [part("ws", "8.23.0")],
      worker: [part("@serialport/bindings-cpp", "13.0.0")],
      planner: [],
    },
  })) as {
    components: { "bom-ref": string; hashes?: { content: string }[] }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  expect(faultsOfBill(bill)).toEqual([]);
  const inside = Object.fromEntries(
    bill.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]),
  );
  const lock = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version: string }>;
  };
  const bun = lock.packages["node_modules/@oven/bun-linux-x64"]?.version;
  expect(inside["file:LICENSE"]).toEqual([]);
  expect(inside["file:pumice-worker-linux-x64"]).toEqual([
    `pkg:npm/%40oven/bun-linux-x64@${bun}`,
    "pkg:npm/%40serialport/bindings-cpp@13.0.0",
  ]);
  expect(inside[`file:pumice-lambda-${VERSION}.zip`]).toEqual([
    "pkg:npm/hono@4.13.19",
    "pkg:npm/uplot@1.6.32",
  ]);
  // What no file of these has is not in it.
  expect(bill.components.map((one) => one["bom-ref"])).not.toContain("pkg:npm/ws@8.23.0");
  const runtime = bill.components.find((one) => one["bom-ref"].includes("bun"));
  expect(runtime?.hashes?.[0]?.content).toMatch(/^[0-9a-f]{128}$/);
});

test("what checks a bill finds what CycloneDX does not allow", () => {
  const well = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: { type: "application", name: "a", "bom-ref": "a" } },
    components: [{ type: "library", name: "b", "bom-ref": "b" }],
    dependencies: [{ ref: "a", dependsOn: ["b"] }],
  };
  const component = (more: object) => ({
    ...well,
    components: [{ ...well.components[0], ...more }],
  });
  const licence = (id: string) => component({ licenses: [{ license: { id } }] });
  expect(faultsOfBill(well)).toEqual([]);
  expect(faultsOfBill(licence("MIT"))).toEqual([]);
  for (const wrong of [
    { ...well, specVersion: 1.6 },
    { ...well, surprise: 1 },
    { ...well, dependencies: [{ ref: "a", dependsOn: ["c"] }] },
    { ...well, metadata: { ...well.metadata, timestamp: "yesterday" } },
    component({ type: "thing" }),
    component({ "bom-ref": "a" }),
    component({ hashes: [{ alg: "SHA-256", content: "12" }] }),
    licence("Mine-1.0"),
  ]) {
    expect(faultsOfBill(wrong), JSON.stringify(wrong)).not.toEqual([]);
  }
});
