import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gitClone } from "../../worker/host/git-clone.ts";
import { unpackTar } from "../../worker/host/tar.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-sources-"));
afterAll(() => rmSync(dir, { recursive: true }));
const outside = path.join(dir, "outside");
mkdirSync(outside);

describe("a tar archive", () => {
  let count = 0;
  const folder = (): string => {
    const made = path.join(dir, `tree-${count++}`);
    mkdirSync(made);
    return made;
  };
  const tar = (cwd: string, ...args: string[]): string => {
    const archive = `${cwd}.tar`;
    execFileSync("tar", ["-P", ...args.slice(0, 1), archive, ...args.slice(1)], {
      cwd,
      stdio: ["ignore", "ignore", "ignore"],
    });
    return archive;
  };

  test("is unpacked, compressed or not, without its leading folders", async () => {
    const from = folder();
    mkdirSync(path.join(from, "top/sub"), { recursive: true });
    writeFileSync(path.join(from, "top/sub/a -> b"), "content");
    symlinkSync("sub", path.join(from, "top/link"));
    for (const option of ["-cf", "-czf", "-cJf"]) {
      const target = path.join(dir, `unpacked${option}`);
      await unpackTar(tar(from, option, "top"), target, { stripComponents: 1 });
      expect(readFileSync(path.join(target, "link/a -> b"), "utf8")).toBe("content");
    }
  });

  test.each<[string, (from: string) => string]>([
    ["a path upwards", (from) => tar(from, "-cf", "--transform=s,^,../,", "file")],
    [
      "a path upwards in the middle",
      (from) => tar(from, "-cf", "--transform=s,^,x/../../,", "file"),
    ],
    ["an absolute path", (from) => tar(from, "-cf", path.join(from, "file"))],
    [
      "a file below a link out of it",
      (from) => {
        symlinkSync(outside, path.join(from, "door"));
        const archive = tar(from, "-cf", "door");
        rmSync(path.join(from, "door"));
        mkdirSync(path.join(from, "door"));
        writeFileSync(path.join(from, "door/evil"), "evil");
        execFileSync("tar", ["-rf", archive, "door/evil"], { cwd: from });
        return archive;
      },
    ],
    [
      "a hard link to outside",
      (from) => {
        const archive = tar(from, "-cf", "file");
        const bytes = readFileSync(archive);
        bytes.write("1", 156, "latin1");
        bytes.write("/etc/passwd\0", 157, "latin1");
        bytes.write("0".repeat(11), 124, "latin1");
        bytes.write("        ", 148, "latin1");
        const sum = bytes.subarray(0, 512).reduce((all, byte) => all + byte, 0);
        bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
        writeFileSync(archive, Buffer.concat([bytes.subarray(0, 512), Buffer.alloc(1024)]));
        return archive;
      },
    ],
    [
      "a pipe",
      (from) => {
        execFileSync("mkfifo", [path.join(from, "pipe")]);
        return tar(from, "-cf", "pipe");
      },
    ],
  ])("is refused when it has %s", async (_, make) => {
    const from = folder();
    writeFileSync(path.join(from, "file"), "evil");
    const target = path.join(dir, `refused-${count}`);
    await expect(unpackTar(make(from), target)).rejects.toMatchObject({ type: "Job" });
    expect(readdirSync(outside)).toEqual([]);
    expect(readdirSync(dir)).not.toContain("file");
  });

  test("has to be one", async () => {
    const file = path.join(dir, "no.tar");
    writeFileSync(file, "this is no archive".repeat(100));
    await expect(unpackTar(file, path.join(dir, "no"))).rejects.toMatchObject({
      type: "Job",
      message: expect.stringContaining("can't be unpacked") as string,
    });
  });
});

describe("a git repository", () => {
  const origin = path.join(dir, "origin");
  const url = `file://${origin}`;
  const git = (...args: string[]): string =>
    execFileSync("git", ["-C", origin, "-c", "user.name=x", "-c", "user.email=x@y", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  let first: string;
  let head: string;
  beforeAll(() => {
    mkdirSync(origin);
    git("init", "-q", "-b", "main");
    writeFileSync(path.join(origin, "file"), "1");
    git("add", ".");
    git("commit", "-qm", "first");
    first = git("rev-parse", "HEAD");
    git("checkout", "-qb", "side");
    writeFileSync(path.join(origin, "side"), "");
    git("add", ".");
    git("commit", "-qm", "side");
    git("checkout", "-q", "main");
    writeFileSync(path.join(origin, "file"), "2");
    git("commit", "-qam", "second");
    head = git("rev-parse", "HEAD");
  });
  let count = 0;
  const target = (): string => path.join(dir, `clone-${count++}`);
  const read = (folder: string): string => readFileSync(path.join(folder, "file"), "utf8");

  test("is cloned at its head, shallow, and the commit is told", async () => {
    const to = target();
    expect(await gitClone({ url, target: to })).toBe(head);
    expect(read(to)).toBe("2");
    expect(existsSync(path.join(to, ".git/shallow"))).toBe(true);
  });

  test("is cloned at a branch, or at a revision with its history", async () => {
    const [branch, revision] = [target(), target()];
    await gitClone({ url, target: branch, branch: "side" });
    expect(readdirSync(branch)).toContain("side");
    expect(await gitClone({ url, target: revision, revision: first })).toBe(first);
    expect(read(revision)).toBe("1");
  });

  test("loses .git when the job wants no history", async () => {
    const to = target();
    expect(await gitClone({ url, target: to, history: false })).toBe(head);
    expect(lstatSync(to).isDirectory()).toBe(true);
    expect(readdirSync(to)).toEqual(["file"]);
  });

  test("that isn't there is tried six times", async () => {
    const lines: string[] = [];
    const cloning = gitClone({
      url: `${url}-none`,
      target: target(),
      pauseMs: 1,
      onLine: (line) => lines.push(line),
    });
    await expect(cloning).rejects.toMatchObject({
      type: "Infrastructure",
      message: expect.stringContaining(`Unable to clone '${url}-none'`) as string,
    });
    expect(lines.filter((line) => line.startsWith("Cloning into"))).toHaveLength(6);
  });

  test("stops at once when it is aborted between tries", async () => {
    const stop = new AbortController();
    const reason = new Error("canceled");
    const cloning = gitClone({
      url: `${url}-none`,
      target: target(),
      signal: stop.signal,
      onLine: () => stop.abort(reason),
    });
    await expect(cloning).rejects.toBe(reason);
  });

  test.each(["--upload-pack=touch /tmp/x", "ext::sh -c id", "-x", "http://a\nb", "fd::3", ""])(
    "is refused when its address is %j",
    async (address) => {
      await expect(gitClone({ url: address, target: target() })).rejects.toMatchObject({
        type: "Job",
      });
    },
  );

  test("is refused when branch or revision would be an option", async () => {
    const branch = gitClone({ url, target: target(), branch: "--upload-pack=x" });
    await expect(branch).rejects.toMatchObject({ type: "Job" });
    const revision = gitClone({ url, target: target(), revision: "-f" });
    await expect(revision).rejects.toMatchObject({ type: "Job" });
  });
});
