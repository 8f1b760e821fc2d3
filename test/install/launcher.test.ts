import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LAUNCHER } from "../../worker/install/launcher.ts";
import { layoutOf, layoutOfSelf, type Layout } from "../../worker/install/layout.ts";

/** Shells that are `/bin/sh` somewhere; those that are here. */
const SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]].filter(([shell = ""]) =>
  ["/bin", "/usr/bin"].some((folder) => existsSync(path.join(folder, shell))),
);

describe.each(SHELLS.map((shell) => [shell.join(" "), shell] as const))("%s", (_, shell) => {
  let layout: Layout;
  beforeEach(() => {
    // A path that a careless script would take apart.
    layout = layoutOf(path.join(mkdtempSync(path.join(tmpdir(), "launch-")), "a b$c"));
    mkdirSync(layout.dir);
    writeFileSync(layout.launch, LAUNCHER, { mode: 0o755 });
    for (const version of ["1.0", "2.0"]) {
      const file = path.join(layout.dir, layout.fileOf(version));
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, `#!/bin/sh\necho "${version}: $*"\n`, { mode: 0o755 });
    }
    symlinkSync(layout.fileOf("2.0"), layout.current);
    symlinkSync(layout.fileOf("1.0"), layout.previous);
  });
  afterEach(() => rmSync(path.dirname(layout.dir), { recursive: true }));

  const launch = (): string => {
    const [command = "", ...args] = shell;
    const stdio = ["ignore", "pipe", "ignore"] as const;
    const all = [...args, layout.launch, "--name", "x y"];
    return execFileSync(command, all, { encoding: "utf8", stdio: [...stdio] }).trim();
  };
  const trial = (text: string): void => writeFileSync(layout.trial, text);
  const read = (file: string): string | undefined =>
    existsSync(file) ? readFileSync(file, "utf8") : undefined;

  it("starts the current version, with what it was given", () => {
    expect(launch()).toBe("2.0: start --name x y");
    expect(read(layout.trial)).toBeUndefined();
  });

  it("tries a new version three times, then goes back to the one before, for good", () => {
    trial("2.0\n0\n");
    expect([launch(), launch(), launch()]).toEqual(Array(3).fill("2.0: start --name x y"));
    expect(read(layout.trial)).toBe("2.0\n3\n");
    expect(launch()).toMatch(/^1\.0: start/);
    expect(read(layout.rolledBack)).toBe("2.0\n");
    expect(read(layout.trial)).toBeUndefined();
    expect(readlinkSync(layout.current)).toBe(layout.fileOf("1.0"));
    expect(launch()).toMatch(/^1\.0: start/);
  });

  it("keeps a version that reached its control plane", () => {
    trial("2.0\n3\n");
    writeFileSync(layout.confirmed, "2.0\n");
    expect(launch()).toMatch(/^2\.0/);
    expect(read(layout.trial)).toBeUndefined();
  });

  it("takes the confirmation of another version for none", () => {
    trial("2.0\n3\n");
    writeFileSync(layout.confirmed, "1.0\n");
    expect(launch()).toMatch(/^1\.0/);
  });

  it("leaves alone a trial of what does not run any more", () => {
    trial("3.0\n9\n");
    expect(launch()).toMatch(/^2\.0/);
    expect(existsSync(layout.rolledBack)).toBe(false);
  });

  it.each(["2.0\n", "2.0\nmany\n", "2.0\n99999\n", "2.0\n$(reboot)\n"])(
    "counts a torn trial (%j) from the beginning",
    (text) => {
      trial(text);
      expect(launch()).toMatch(/^2\.0/);
      expect(read(layout.trial)).toBe("2.0\n1\n");
    },
  );

  it("starts what there is when a trial is empty, or has nothing to go back to", () => {
    trial("");
    expect(launch()).toMatch(/^2\.0/);
    trial("2.0\n3\n");
    rmSync(layout.previous);
    expect(launch()).toMatch(/^2\.0/);
  });

  it("goes back at once from a file that is not there or may not be run", () => {
    chmodSync(path.join(layout.dir, layout.fileOf("2.0")), 0o644);
    expect(launch()).toMatch(/^1\.0/);
    expect(read(layout.rolledBack)).toBe("2.0\n");
    expect(launch()).toMatch(/^1\.0/);
  });

  it("ends what a power cut left half done of going back", () => {
    trial("2.0\n3\n");
    writeFileSync(layout.rolledBack, "2.0\n");
    symlinkSync(layout.fileOf("1.0"), `${layout.current}.new`);
    expect(launch()).toMatch(/^1\.0/);
    expect(existsSync(`${layout.current}.new`)).toBe(false);
  });

  it("goes back on a version that ends at once, however it ends", () => {
    writeFileSync(path.join(layout.dir, layout.fileOf("2.0")), "\x7fELF nonsense");
    trial("2.0\n0\n");
    for (let n = 0; n < 3; n++) expect(launch).toThrow();
    expect(launch()).toMatch(/^1\.0/);
  });

  it("is found by the version that runs from it, and by no other file", () => {
    const file = path.join(layout.dir, layout.fileOf("2.0"));
    expect(layoutOfSelf(file)?.dir).toBe(layout.dir);
    expect(layoutOfSelf("/usr/local/bin/pumice-worker")).toBeUndefined();
    rmSync(layout.launch);
    expect(layoutOfSelf(file)).toBeUndefined();
  });
});
