import { spawn } from "node:child_process";
import { once } from "node:events";
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
import { installedLayout, layoutOf, type Layout } from "../../worker/install/layout.ts";

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

  /** Its output; what it left running (the watchdog of a trial) is ended. */
  const launch = async (): Promise<string> => {
    const [command = "", ...args] = shell;
    const all = [...args, layout.launch, "--name", "x y"];
    const agent = spawn(command, all, { detached: true, stdio: ["ignore", "pipe", "ignore"] });
    const said: Buffer[] = [];
    agent.stdout.on("data", (data: Buffer) => said.push(data));
    const closed = once(agent, "close");
    const [code] = (await once(agent, "exit")) as [number];
    try {
      process.kill(-agent.pid!, "SIGKILL");
    } catch (error) {
      expect(error).toMatchObject({ code: "ESRCH" });
    }
    await closed;
    return code === 0 ? Buffer.concat(said).toString().trim() : `exit ${code}`;
  };
  const trial = (text: string): void => writeFileSync(layout.trial, text);
  const read = (file: string): string | undefined =>
    existsSync(file) ? readFileSync(file, "utf8") : undefined;

  it("starts the current version, with what it was given", async () => {
    expect(await launch()).toBe("2.0: start --name x y");
    expect(read(layout.trial)).toBeUndefined();
  });

  it("tries a new version three times, then goes back to the one before, for good", async () => {
    trial("2.0\n0\n");
    expect([await launch(), await launch(), await launch()]).toEqual(
      Array(3).fill("2.0: start --name x y"),
    );
    expect(read(layout.trial)).toBe("2.0\n3\n");
    expect(await launch()).toMatch(/^1\.0: start/);
    expect(read(layout.rolledBack)).toMatch(/^2\.0\n\w.*\n$/);
    expect(read(layout.trial)).toBeUndefined();
    expect(readlinkSync(layout.current)).toBe(layout.fileOf("1.0"));
    expect(await launch()).toMatch(/^1\.0: start/);
  });

  it("goes back from a version that hangs, and ends it", async () => {
    const file = path.join(layout.dir, layout.fileOf("2.0"));
    writeFileSync(file, "#!/bin/sh\necho up\nexec sleep 1000\n");
    trial("2.0\n1\n");
    const [command = "", ...args] = shell;
    const agent = spawn(command, [...args, layout.launch], {
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, PUMICE_UPGRADE_WATCHDOG_SECONDS: "0.2" },
    });
    expect(await once(agent, "exit")).toEqual([null, "SIGKILL"]);
    expect(readlinkSync(layout.current)).toBe(layout.fileOf("1.0"));
    expect(read(layout.rolledBack)).toMatch(/^2\.0\nit runs, but/);
    expect(read(layout.trial)).toBeUndefined();
  });

  it("ends no version because its watch could not sleep, or was killed", async () => {
    const file = path.join(layout.dir, layout.fileOf("2.0"));
    writeFileSync(file, "#!/bin/sh\nsleep 0.5\nexit 7\n");
    trial("2.0\n0\n");
    const [command = "", ...args] = shell;
    const agent = spawn(command, [...args, layout.launch], {
      stdio: "ignore",
      env: { ...process.env, PUMICE_UPGRADE_WATCHDOG_SECONDS: "soon" },
    });
    expect(await once(agent, "exit")).toEqual([7, null]);
    expect(read(layout.trial)).toBe("2.0\n1\n");
  });

  it("goes back from a version whose starts can't be counted: it would be tried for ever", async () => {
    trial("2.0\n0\n");
    // As on a full disk: nothing can be written there.
    mkdirSync(`${layout.trial}.new`);
    expect(await launch()).toMatch(/^1\.0: start/);
    expect(read(layout.rolledBack)).toMatch(/^2\.0\n.*disk full/);
  });

  it("leaves alone a trial of what does not run any more", async () => {
    trial("3.0\n9\n");
    expect(await launch()).toMatch(/^2\.0/);
    expect(existsSync(layout.rolledBack)).toBe(false);
  });

  it.each(["2.0\n", "2.0\nmany\n", "2.0\n99999\n", "2.0\n$(reboot)\n"])(
    "counts a torn trial (%j) from the beginning",
    async (text) => {
      trial(text);
      expect(await launch()).toMatch(/^2\.0/);
      expect(read(layout.trial)).toBe("2.0\n1\n");
    },
  );

  it("starts what there is when a trial is empty, or has nothing to go back to", async () => {
    trial("");
    expect(await launch()).toMatch(/^2\.0/);
    trial("2.0\n3\n");
    rmSync(layout.previous);
    expect(await launch()).toMatch(/^2\.0/);
  });

  it("goes back at once from a file that is not there or may not be run", async () => {
    chmodSync(path.join(layout.dir, layout.fileOf("2.0")), 0o644);
    expect(await launch()).toMatch(/^1\.0/);
    expect(read(layout.rolledBack)).toMatch(/^2\.0\n\w.*\n$/);
    expect(await launch()).toMatch(/^1\.0/);
  });

  it("ends what a power cut left half done of going back", async () => {
    trial("2.0\n3\n");
    writeFileSync(layout.rolledBack, "2.0\n");
    symlinkSync(layout.fileOf("1.0"), `${layout.current}.new`);
    expect(await launch()).toMatch(/^1\.0/);
    expect(existsSync(`${layout.current}.new`)).toBe(false);
  });

  it("goes back on a version that ends at once, however it ends", async () => {
    writeFileSync(path.join(layout.dir, layout.fileOf("2.0")), "\x7fELF nonsense");
    trial("2.0\n0\n");
    for (let n = 0; n < 3; n++) expect(await launch()).toMatch(/^exit 1\d\d$|^exit 2$/);
    expect(await launch()).toMatch(/^1\.0/);
  });

  it("tells the version where it is installed", async () => {
    const file = path.join(layout.dir, layout.fileOf("2.0"));
    writeFileSync(file, '#!/bin/sh\necho "$PUMICE_INSTALL_DIR"\n');
    expect(installedLayout({ PUMICE_INSTALL_DIR: await launch() })).toMatchObject({
      dir: layout.dir,
    });
    expect(installedLayout({})).toBeUndefined();
  });
});
