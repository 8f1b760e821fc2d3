import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { VERSION } from "#protocol/version.ts";
import { workerProgram } from "../support/worker-program.ts";
import { lacking } from "../support/lacking.ts";

const has = (program: string): boolean =>
  ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].some((dir) => existsSync(path.join(dir, program)));

let program: Awaited<ReturnType<typeof workerProgram>>;
beforeAll(async () => {
  program = await workerProgram();
}, 180_000);
afterAll(() => program.remove());
// Each test is a handful of programs, on a machine that may have other things to do.
vi.setConfig({ testTimeout: 120_000 });

let dir: string;
let root: string;
/** Stands for the single file. */
let file: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "install-"));
  root = path.join(dir, "image");
  mkdirSync(path.join(root, "etc"), { recursive: true });
  writeFileSync(path.join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(path.join(root, "etc/group"), "root:x:0:\ndialout:x:20:\nkvm:x:104:alice\n");
  file = path.join(dir, "a file");
  writeFileSync(file, "#!/bin/sh\necho one\n", { mode: 0o755 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function worker(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: process.env["PATH"], HOME: path.join(dir, "home") };
  const command = [process.execPath, program.file, ...args];
  return spawnSync("sh", ["-c", 'umask 077; exec "$@"', "sh", ...command], {
    encoding: "utf8",
    env,
  });
}
const install = (...args: string[]) =>
  worker("install", "--root", root, "--file", file, "--init", "systemd", ...args);
const at = (name: string) => path.join(root, name);
const read = (name: string) => readFileSync(at(name), "utf8");
const LIB = "usr/local/lib/pumice-worker";
const SETPRIV =
  "setpriv --reuid root --regid 7 --init-groups --inh-caps +net_bind_service --ambient-caps +net_bind_service";
const UNIT = "etc/systemd/system/pumice-worker.service";

// Files are given to the worker's user.
describe.skipIf(lacking(process.getuid?.() !== 0, "it needs root"))(
  "installing into an image",
  () => {
    test("puts everything in its place, and the worker's things into its user's hands", () => {
      const done = install();
      expect([done.status, done.stderr]).toEqual([0, ""]);
      const [, , uid = "", gid = "", , home] =
        /^pumice-worker:.*$/m.exec(read("etc/passwd"))?.[0].split(":") ?? [];
      expect(home).toBe("/var/lib/pumice-worker");
      expect(read("etc/group")).toMatch(/^dialout:x:20:pumice-worker$/m);
      expect(read("etc/group")).toMatch(/^kvm:x:104:alice,pumice-worker$/m);
      const of = (name: string) => {
        const { mode, uid: owner, gid: group } = statSync(at(name));
        return [mode & 0o777, `${owner}:${group}`];
      };
      const [own, roots] = [`${uid}:${gid}`, "0:0"];
      expect(of("var/lib/pumice-worker")).toEqual([0o700, own]);
      expect(of("etc/pumice-worker")).toEqual([0o700, own]);
      expect(of("var/lib")).toEqual([0o755, roots]);
      expect(of(LIB)).toEqual([0o755, own]);
      expect(of(`${LIB}/versions/${VERSION}/pumice-worker`)).toEqual([0o755, roots]);
      expect(of(`${LIB}/launch`)).toEqual([0o755, roots]);
      expect(readlinkSync(at(`${LIB}/current`))).toBe(`versions/${VERSION}/pumice-worker`);
      // What root runs is what root installed, whatever becomes of `current`.
      const [bin, version] = [
        "usr/local/bin/pumice-worker",
        `${LIB}/versions/${VERSION}/pumice-worker`,
      ];
      expect(statSync(at(bin)).ino).toBe(statSync(at(version)).ino);
      const wants = "etc/systemd/system/multi-user.target.wants/pumice-worker.service";
      expect(readlinkSync(at(wants))).toBe("../pumice-worker.service");
      expect(existsSync(at(wants))).toBe(true);
      const launched = spawnSync("sh", [at(`${LIB}/launch`)], { encoding: "utf8" });
      expect(launched.stdout).toBe("one\n");
      expect(done.stdout).toContain("Next: /usr/local/bin/pumice-worker enrol URL CODE");
    });

    test("hardened puts a drop-in beside the unit, which stays at the next install and goes at the end", () => {
      const dropIn = `${UNIT}.d/hardened.conf`;
      install();
      expect(existsSync(at(dropIn))).toBe(false);
      expect(read(UNIT)).toContain(`\nReadWritePaths=/${LIB} -/etc/pumice-worker\n`);
      expect(install("--hardened").status).toBe(0);
      for (const line of [
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "RestrictNamespaces=user mnt",
        `ReadWritePaths=/${LIB} -/etc/pumice-worker -/var/lib/pumice-worker /tmp /var/tmp`,
      ]) {
        expect(read(dropIn)).toContain(`\n${line}\n`);
      }
      // What boards need, and runners that outlive the agent.
      expect(read(dropIn)).not.toMatch(
        /^(PrivateDevices|ProtectClock|PrivateTmp|PrivateNetwork)=/m,
      );
      install();
      expect(existsSync(at(dropIn))).toBe(true);
      expect(install("--print", "--hardened").stdout).toContain(read(dropIn));
      expect(install("--uninstall").status).toBe(0);
      expect(existsSync(at(dropIn))).toBe(false);
      const other = worker(
        "install",
        "--root",
        root,
        "--file",
        file,
        "--init",
        "runit",
        "--hardened",
      );
      expect([other.status, other.stderr]).toEqual([2, expect.stringContaining("under systemd")]);
    });

    test("a second time changes nothing", () => {
      install();
      const again = install();
      expect(again.status).toBe(0);
      const steps = again.stdout.split("\n").filter((line) => /^(already|done):/.test(line));
      expect(steps.length).toBeGreaterThan(10);
      expect(steps.filter((line) => !line.startsWith("already:"))).toEqual([]);
    });

    test("with another file replaces the program, also while the old one runs", () => {
      install();
      writeFileSync(file, "#!/bin/sh\necho two\n");
      expect(install().status).toBe(0);
      for (const name of [`${LIB}/current`, "usr/local/bin/pumice-worker"]) {
        expect(spawnSync(at(name), { encoding: "utf8" }).stdout).toBe("two\n");
      }
    });

    test("over another version keeps that one at hand, and ends what was on trial", () => {
      install();
      const link = at(`${LIB}/current`);
      mkdirSync(at(`${LIB}/versions/0.0.1`));
      writeFileSync(at(`${LIB}/versions/0.0.1/pumice-worker`), "#!/bin/sh\n", { mode: 0o755 });
      rmSync(link);
      symlinkSync("versions/0.0.1/pumice-worker", link);
      writeFileSync(at(`${LIB}/trial`), "0.0.1\n2\n");
      expect(install().status).toBe(0);
      expect(readlinkSync(at(`${LIB}/previous`))).toBe("versions/0.0.1/pumice-worker");
      expect(readlinkSync(link)).toBe(`versions/${VERSION}/pumice-worker`);
      expect(existsSync(at(`${LIB}/trial`))).toBe(false);
    });

    test("asks another file for its version, as far as it runs here", () => {
      writeFileSync(file, '#!/bin/sh\necho "pumice-worker 9.8.7-rc.1"\n');
      expect(install().status).toBe(0);
      expect(readlinkSync(at(`${LIB}/current`))).toBe("versions/9.8.7-rc.1/pumice-worker");
      writeFileSync(file, '#!/bin/sh\necho "pumice-worker ../../x"\n');
      expect(install().status).toBe(0);
      expect(readlinkSync(at(`${LIB}/current`))).toBe(`versions/${VERSION}/pumice-worker`);
    });

    test("takes files that root wrote at enrolment to the worker's user", () => {
      mkdirSync(at("etc/pumice-worker"));
      writeFileSync(at("etc/pumice-worker/token"), "secret\n", { mode: 0o600 });
      writeFileSync(at("etc/pumice-worker/worker.env"), "");
      expect(install().stdout).not.toContain("Next:");
      const { uid, mode } = statSync(at("etc/pumice-worker/token"));
      expect([uid === 0, mode & 0o777]).toEqual([false, 0o600]);
    });

    test("follows no link that the worker's user left for root", () => {
      install();
      const mine = path.join(dir, "mine");
      mkdirSync(mine);
      writeFileSync(path.join(mine, "shadow"), "root's\n", { mode: 0o640 });
      const owner = () => [mine, path.join(mine, "shadow")].map((name) => statSync(name).uid);
      symlinkSync(path.join(mine, "shadow"), at("etc/pumice-worker/token"));
      rmSync(at(`${LIB}/launch`));
      symlinkSync(path.join(mine, "shadow"), at(`${LIB}/launch`));
      expect(install().status).toBe(0);
      expect(lstatSync(at(`${LIB}/launch`)).isFile()).toBe(true);
      rmSync(at(`${LIB}/versions`), { recursive: true });
      symlinkSync(mine, at(`${LIB}/versions`));
      expect(install()).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/ENOTDIR|ELOOP/),
      });
      expect(owner()).toEqual([0, 0]);
      expect(readFileSync(path.join(mine, "shadow"), "utf8")).toBe("root's\n");
    });

    test("gives away no file that the worker's user gave another name in its own folder", () => {
      install();
      const shadow = at("etc/shadow");
      writeFileSync(shadow, "root's\n", { mode: 0o640 });
      linkSync(shadow, at("etc/pumice-worker/token"));
      expect(install().status).toBe(0);
      expect(statSync(shadow).uid).toBe(0);
    });

    test("trusts no program of its version that the worker's user has put there", () => {
      install();
      const name = at(`${LIB}/versions/${VERSION}/pumice-worker`);
      rmSync(name);
      writeFileSync(name, readFileSync(file), { mode: 0o755 });
      chownSync(name, 4711, 4711);
      expect(install().status).toBe(0);
      expect(statSync(name).uid).toBe(0);
      expect(statSync(at("usr/local/bin/pumice-worker")).uid).toBe(0);
    });

    test("says what it would do with --dry-run, and does nothing", () => {
      const { stdout, status } = install("--dry-run");
      expect(status).toBe(0);
      expect(stdout).toContain("would make: system user pumice-worker");
      expect(existsSync(at("usr"))).toBe(false);
      expect(read("etc/passwd")).not.toContain("pumice");
    });

    test("is undone by --uninstall, which says what it leaves", () => {
      install();
      writeFileSync(at("etc/pumice-worker/worker.env"), "PUMICE_URL=https://lab\n");
      const { stdout, status } = worker(
        "install",
        "--root",
        root,
        "--init",
        "systemd",
        "--uninstall",
      );
      expect(status).toBe(0);
      for (const gone of [
        LIB,
        UNIT,
        "usr/local/bin/pumice-worker",
        "etc/udev/rules.d/60-pumice-worker.rules",
      ])
        expect([gone, existsSync(at(gone))]).toEqual([gone, false]);
      expect(stdout).toMatch(/Left: .*etc\/pumice-worker \(settings and token\)/);
      expect(stdout).toContain("Left: user pumice-worker");
      expect(existsSync(at("etc/pumice-worker/worker.env"))).toBe(true);
      expect(worker("install", "--root", root, "--uninstall").stdout).not.toContain("removed:");
    });

    test("keeps udev rules that somebody has changed", () => {
      install();
      const rules = at("etc/udev/rules.d/60-pumice-worker.rules");
      writeFileSync(rules, "# mine\n");
      install();
      worker("install", "--root", root, "--uninstall");
      expect(readFileSync(rules, "utf8")).toBe("# mine\n");
    });

    test("takes another user, prefix and place of the program", () => {
      expect(install("--user", "lab", "--prefix", "/opt/pumice").status).toBe(0);
      expect(read("etc/passwd")).toMatch(/^lab:/m);
      expect(read(UNIT)).toContain("ExecStart=/opt/pumice/lib/pumice-worker/launch\n");
      expect(read(UNIT)).toContain("User=lab\n");
    });

    test.skipIf(lacking(!has("systemd-analyze"), "systemd-analyze is missing"))(
      "writes a unit that systemd accepts",
      () => {
        install();
        // It looks for what the unit starts on this machine.
        const unit = path.join(dir, "pumice-worker.service");
        writeFileSync(unit, read(UNIT).replaceAll("/usr/local/lib", at("usr/local/lib")));
        const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", unit], {
          encoding: "utf8",
        });
        expect([status, `${stdout}${stderr}`]).toEqual([0, ""]);
      },
    );
  },
);

const AS_NOBODY = ["--reuid", "65534", "--regid", "65534", "--clear-groups", process.execPath];
/** Not where this runtime is in a folder of root's. */
const isNobodyAble = spawnSync("setpriv", [...AS_NOBODY, "--version"]).status === 0;

test.skipIf(lacking(!isNobodyAble, "it needs root and setpriv"))(
  "whoever is not root gets a service of their own, and hears what it can't do",
  () => {
    const home = path.join(dir, "home");
    mkdirSync(home);
    chownSync(home, 65534, 65534);
    for (const folder of [dir, path.dirname(program.file)]) chmodSync(folder, 0o755);
    const configured = {};
    const run = (...args: string[]) =>
      spawnSync("setpriv", [...AS_NOBODY, program.file, "install", ...args], {
        encoding: "utf8",
        env: { PATH: process.env["PATH"], HOME: home, USER: "nobody", ...configured },
      });
    const { status, stdout, stderr } = run("--file", file, "--init", "systemd");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("sudo loginctl enable-linger nobody");
    const unit = readFileSync(
      path.join(home, ".config/systemd/user/pumice-worker.service"),
      "utf8",
    );
    expect(unit).toContain(`ExecStart=${home}/.local/lib/pumice-worker/launch\n`);
    expect(unit).toContain(`ConditionPathExists=${home}/.config/pumice-worker/worker.env\n`);
    expect(unit).not.toMatch(/^User=|^ProtectSystem=/m);
    const wants = ".config/systemd/user/default.target.wants/pumice-worker.service";
    expect(readFileSync(path.join(home, wants), "utf8")).toBe(unit);
    const launch = path.join(home, ".local/lib/pumice-worker/launch");
    expect(spawnSync("sh", [launch], { encoding: "utf8" }).stdout).toBe("one\n");
    expect(run("--uninstall").status).toBe(0);
    expect(existsSync(path.join(home, ".local/lib/pumice-worker"))).toBe(false);
    expect(run("--user", "lab", "--file", file)).toMatchObject({ status: 2 });
    // A unit would take it for two words.
    Object.assign(configured, { XDG_CONFIG_HOME: path.join(home, "my config") });
    expect(run("--file", file)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("XDG_CONFIG_HOME: expected a path of letters"),
    });
  },
);

describe("without systemd", () => {
  test.each(["openrc", "runit"])("a script for %s is printed that sh can read", (init) => {
    const { stdout, status } = worker("install", "--init", init, "--root", root, "--print");
    expect(status).toBe(0);
    const script = path.join(dir, "script");
    writeFileSync(script, stdout);
    expect(spawnSync("sh", ["-n", script], { encoding: "utf8" })).toMatchObject({
      status: 0,
      stderr: "",
    });
    expect(stdout).toContain("/usr/local/lib/pumice-worker/launch");
    // A user of somebody's own may have no group of that name.
    expect(stdout).not.toContain("pumice-worker:pumice-worker");
    expect(existsSync(at("usr"))).toBe(false);
  });

  test.each([
    ["has the rights of a system's own setpriv", "--init-groups", SETPRIV],
    ["has a user's groups where setpriv is busybox's", "--nnp", "chpst -u root:root:dialout:kvm"],
  ])("runit's script waits for enrolment; the launcher %s", (_what, option, starts) => {
    const settings = path.join(dir, "worker.env");
    const options = ["--init", "runit", "--user", "root", "--root", root, "--print"];
    const { stdout } = worker("install", ...options);
    const script = path.join(dir, "run");
    const bin = path.join(dir, "bin");
    mkdirSync(bin);
    const help = `[ "$1" = --help ] && { echo ${option}; exit; }`;
    for (const name of ["chpst", "sleep", "setpriv"]) {
      const says = `echo ${name} "$@" "$HOME" "$PUMICE_SETTINGS"`;
      writeFileSync(path.join(bin, name), `#!/bin/sh\n${help}\n${says}\n`, { mode: 0o755 });
    }
    const ids = 'case "$*" in "-Gn root") echo root dialout kvm ;; "-g root") echo 7 ;; esac';
    writeFileSync(path.join(bin, "id"), `#!/bin/sh\n${ids}\n`, { mode: 0o755 });
    writeFileSync(script, stdout.replaceAll("/etc/pumice-worker/worker.env", settings));
    const run = () =>
      spawnSync("sh", [script], { encoding: "utf8", env: { PATH: `${bin}:/usr/bin:/bin` } }).stdout;
    expect(run()).toBe("sleep 60  \n");
    writeFileSync(settings, "");
    expect(run()).toBe(`${starts} /usr/local/lib/pumice-worker/launch /root ${settings}\n`);
  });

  test.skipIf(lacking(process.getuid?.() !== 0, "it needs root")).each([
    ["openrc", "etc/init.d/pumice-worker", "etc/runlevels/default/pumice-worker"],
    ["runit", "etc/sv/pumice-worker/run", "etc/runit/runsvdir/default/pumice-worker"],
    ["runit", "etc/sv/pumice-worker/log/run", "var/service/pumice-worker", "var/service"],
  ] as [string, string, string, string?][])(
    "%s's service is put into an image, and taken away: %s",
    (init, script, link, has) => {
      if (has) mkdirSync(at(has), { recursive: true });
      const done = worker("install", "--root", root, "--file", file, "--init", init);
      expect([done.status, done.stderr]).toEqual([0, ""]);
      expect(statSync(at(script)).mode & 0o777).toBe(0o755);
      expect(existsSync(at(readlinkSync(at(link))))).toBe(true);
      expect(existsSync(at(UNIT))).toBe(false);
      const again = worker("install", "--root", root, "--file", file, "--init", init);
      expect(again.stdout).not.toMatch(/^done:/m);
      worker("install", "--root", root, "--init", init, "--uninstall");
      for (const gone of [script, link]) {
        expect(lstatSync(at(gone), { throwIfNoEntry: false })).toBeUndefined();
      }
    },
  );
});

test.each([
  [["--init", "upstart"], "--init: expected systemd, openrc, runit"],
  [["--user", "a b"], '--user "a b": expected a user'],
  [["--prefix", "/opt/a b"], "--prefix: expected a path"],
  [["--root", "/none/at/all"], "--root: there is no"],
  [["extra"], "expected options only"],
])("install %j is refused", (args, text) => {
  const where = args[0] === "--root" ? [] : ["--root", root];
  const { status, stderr } = worker("install", ...where, ...args);
  expect([status, stderr]).toEqual([2, expect.stringContaining(text)]);
});

test("what a runtime runs as a script can't install itself", () => {
  const { status, stderr } = worker("install", "--root", root);
  expect([status, stderr]).toEqual([2, expect.stringContaining("no single file")]);
});
