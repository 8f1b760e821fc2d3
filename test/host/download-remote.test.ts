import { spawn, execFileSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { placeOf } from "../../worker/host/download-remote.ts";
import { identityOf } from "../../worker/host/process-table.ts";
import { download, probeDownload } from "../../worker/host/download.ts";
import { freePort } from "../support/loopback-ports.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-remote-"));
const at = (name: string): string => path.join(dir, name);
const content = Buffer.from("pumice floats\n".repeat(50_000));
const pathBefore = process.env["PATH"];
afterAll(() => rmSync(dir, { recursive: true }));

describe("a file on a machine reached by ssh", () => {
  let port = 0;
  let sshd: ChildProcess;
  beforeAll(async () => {
    for (const key of ["host", "user"]) {
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(key)]);
    }
    // sshd insists that nobody else may write where the keys are.
    chmodSync(dir, 0o700);
    writeFileSync(at("authorized"), readFileSync(at("user.pub")), { mode: 0o600 });
    port = await freePort();
    const config = [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${at("host")}`,
      `AuthorizedKeysFile ${at("authorized")}`,
      `PidFile ${at("sshd.pid")}`,
      "PasswordAuthentication no",
      "StrictModes no",
    ];
    writeFileSync(at("sshd_config"), config.join("\n"));
    if (userInfo().uid === 0) mkdirSync("/run/sshd", { recursive: true });
    sshd = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", at("sshd_config")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    for await (const data of sshd.stderr as AsyncIterable<Buffer>) {
      if (data.toString().includes("Server listening")) break;
    }
    sshd.stderr?.resume();
    // The real client; what an admin has in ~/.ssh/config stands in a file of the test's.
    const known = readFileSync(at("host.pub"), "utf8").split(" ").slice(0, 2).join(" ");
    writeFileSync(at("known_hosts"), `[127.0.0.1]:${port} ${known}\n`);
    writeFileSync(
      at("ssh_config"),
      `IdentityFile ${at("user")}\nUserKnownHostsFile ${at("known_hosts")}\nUser ${userInfo().username}\n`,
    );
    mkdirSync(at("bin"));
    writeFileSync(at("bin/ssh"), `#!/bin/sh\nexec /usr/bin/ssh -F ${at("ssh_config")} "$@"\n`, {
      mode: 0o755,
    });
  });
  beforeEach(() => {
    process.env["PATH"] = `${at("bin")}:${pathBefore}`;
  });
  afterEach(() => {
    process.env["PATH"] = pathBefore;
  });
  afterAll(async () => {
    sshd.kill();
    await once(sshd, "exit");
  });
  const url = (file: string): string => `scp://127.0.0.1:${port}${at(file)}`;

  test("is fetched, its name taken as it stands, decompressed and counted", async () => {
    const name = 'it\'s $(touch here) "x".gz';
    writeFileSync(at(name), gzipSync(content));
    await probeDownload({ url: url(name) });
    const done = await download({ url: url(name), target: at("target"), compression: "gz" });
    expect(readFileSync(at("target")).equals(content)).toBe(true);
    expect(done.sizeBytes).toBe(gzipSync(content).length);
  });

  test("that isn't there fails the job, with what ssh said", async () => {
    await expect(probeDownload({ url: url("nope") })).rejects.toMatchObject({
      type: "Job",
      message: expect.stringContaining("No such file"),
    });
  });

  test("on a machine whose key is unknown is not fetched, and nobody is asked", async () => {
    const stranger = `scp://localhost:${port}${at("authorized")}`;
    await expect(probeDownload({ url: stranger })).rejects.toThrow(/verification failed/);
  });
});

describe("a file of an rclone remote", () => {
  const rclone = { env: {}, configFile: at("rclone.conf") };
  beforeAll(() => {
    mkdirSync(at("store"), { recursive: true });
    writeFileSync(at("store/file one"), content);
    writeFileSync(at("rclone.conf"), `[lab]\ntype = alias\nremote = ${at("store")}\n`);
  });

  test("is fetched by the remote that the job describes", async () => {
    const url = "rclone://lab/file one";
    await probeDownload({ url, rclone });
    const done = await download({ url, rclone, target: at("target") });
    expect(readFileSync(at("target")).equals(content)).toBe(true);
    expect(done.sizeBytes).toBe(content.length);
  });

  test("is fetched by variables as well", async () => {
    const env = {
      RCLONE_CONFIG_OTHER_TYPE: "alias",
      RCLONE_CONFIG_OTHER_REMOTE: at("store"),
    };
    const url = "rclone://other/file one";
    await download({ url, rclone: { env, configFile: rclone.configFile }, target: at("target") });
    expect(readFileSync(at("target")).equals(content)).toBe(true);
  });

  test("that isn't there, or whose remote isn't, fails", async () => {
    const failure = { type: "Job" };
    await expect(probeDownload({ url: "rclone://lab/nope", rclone })).rejects.toMatchObject(
      failure,
    );
    await expect(probeDownload({ url: "rclone://nowhere/x", rclone })).rejects.toMatchObject(
      failure,
    );
    await expect(
      download({ url: "rclone://lab/nope", rclone, target: at("target") }),
    ).rejects.toMatchObject({ type: "Infrastructure" });
  });

  test("on a machine that does not answer is the lab's fault", async () => {
    const port = await freePort();
    const pass = execFileSync("rclone", ["obscure", "secret"], { encoding: "utf8" });
    const down = [
      "[down]",
      "type=sftp",
      "host=127.0.0.1",
      `port=${port}`,
      "user=u",
      `pass=${pass}`,
    ];
    writeFileSync(at("down.conf"), down.join("\n"));
    const env = { RCLONE_LOW_LEVEL_RETRIES: "1" };
    const rclone = { env, configFile: at("down.conf") };
    await expect(probeDownload({ url: "rclone://down/x", rclone })).rejects.toMatchObject({
      type: "Infrastructure",
    });
  });

  test("ends with its program when the job is canceled", async () => {
    const cancel = new AbortController();
    const progress = (): void => cancel.abort(new Error("canceled"));
    writeFileSync(at("store/large"), Buffer.alloc(50_000_000));
    const request = {
      url: "rclone://lab/large",
      rclone,
      target: at("target"),
      signal: cancel.signal,
    };
    await expect(download({ ...request, onProgress: progress })).rejects.toThrow("canceled");
  });

  test("that says no more doesn't keep its program alive when the job is canceled", async () => {
    mkdirSync(at("stalling"));
    const script = `#!/bin/sh\necho $$ > ${at("pid")}\necho some\nexec sleep 1000\n`;
    writeFileSync(at("stalling/rclone"), script, { mode: 0o755 });
    process.env["PATH"] = `${at("stalling")}:${pathBefore}`;
    const cancel = new AbortController();
    const done = download({
      url: "rclone://lab/x",
      rclone,
      target: at("target"),
      signal: cancel.signal,
      onProgress: () => cancel.abort(new Error("canceled")),
    });
    await expect(done).rejects.toThrow("canceled");
    process.env["PATH"] = pathBefore;
    const pid = Number(readFileSync(at("pid"), "utf8"));
    await vi.waitFor(() => expect(identityOf(pid)).toBeUndefined(), { timeout: 20_000 });
  });
});

test.each([
  "scp://-oProxyCommand=touch/x",
  "scp://host",
  "scp://host:port/x",
  "scp://user@-x/y",
  "rclone://:local:/etc",
  "rclone://-v/x",
  "rclone://:sftp,ssh=touch x:/y",
])("%s is not an address that a program is given", (url) => {
  expect(() => placeOf(url)).toThrow(/expected scp:/);
});
