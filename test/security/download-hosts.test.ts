import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { download } from "../../worker/host/download.ts";
import { downloadRules, reachableAddresses } from "../../worker/host/download-rules.ts";
import { gitClone } from "../../worker/host/git-clone.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-download-hosts-"));
const at = (...parts: string[]) => path.join(dir, ...parts);
/** Two hosts of the network; what the first was asked is in `asked`. */
const servers: http.Server[] = [];
const asked: string[] = [];
let open = "";
let closed = "";

beforeAll(async () => {
  const git = (cwd: string, ...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      cwd,
      stdio: "pipe",
    });
  const urlOf = (server: http.Server) => {
    const { address, port } = server.address() as AddressInfo;
    return `http://${address}:${port}`;
  };
  const serve = async (host: string): Promise<string> => {
    const server = http.createServer(({ url = "" }, answer) => {
      asked.push(`${host}${url}`);
      const to = /^\/to\/(.+)$/.exec(url)?.[1];
      if (to !== undefined) {
        return void answer.writeHead(302, { location: decodeURIComponent(to) }).end();
      }
      const moved = /^\/moved\/(.+)$/.exec(url)?.[1];
      if (moved !== undefined) {
        return void answer.writeHead(301, { location: `${closed}/${moved}` }).end();
      }
      const file = at("www", path.normalize(url.split("?")[0] ?? ""));
      if (!existsSync(file)) return void answer.writeHead(404).end();
      answer.end(readFileSync(file));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return urlOf(server);
  };
  open = await serve("127.0.0.1");
  closed = await serve("127.0.0.2");
  mkdirSync(at("www"));
  writeFileSync(at("www/file"), "a file");
  const repository = (name: string, fill: () => void): void => {
    mkdirSync(at(name));
    git(at(name), "init", "-q", "-b", "main");
    fill();
    git(at(name), "commit", "-q", "-m", "a");
    git(dir, "clone", "-q", "--bare", name, `www/${name}.git`);
    git(at(`www/${name}.git`), "update-server-info");
  };
  repository("inner", () => {
    writeFileSync(at("inner/a"), "a");
    git(at("inner"), "add", "a");
  });
  repository("outer", () => {
    const commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: at("inner") });
    const entry = `160000,${commit.toString().trim()},in`;
    const text = `[submodule "in"]\n\tpath = in\n\turl = ${closed}/inner.git\n`;
    writeFileSync(at("outer/.gitmodules"), text);
    git(at("outer"), "add", ".gitmodules");
    git(at("outer"), "update-index", "--add", "--cacheinfo", entry);
  });
});
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(dir, { recursive: true });
});
afterEach(() => {
  asked.length = 0;
  delete process.env["PUMICE_URL"];
  rmSync(at("got"), { recursive: true, force: true });
});

const fetched = (url: string, settings: Record<string, unknown> = {}): Promise<unknown> =>
  download({ url, target: at("got"), rules: downloadRules(settings), backoffMs: 1 });
const cloned = (url: string, settings: Record<string, unknown>, recursive = false) =>
  gitClone({
    ...{ url, target: at("got"), rules: downloadRules(settings), recursive },
    ...{ shallow: false, pauseMs: 1 },
  });

describe("a job's downloads without settings", () => {
  test.each([
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/",
    "http://2852039166/",
    "http://0xa9.0376.169.254/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fd00:ec2:0::254]/",
    "scp://user@169.254.169.254/etc/passwd",
  ])("never reach a cloud's metadata: %s", async (url) => {
    await expect(fetched(url)).rejects.toMatchObject({
      type: "Job",
      message: expect.stringMatching(
        /may not reach .* is that of a cloud's metadata\. .*download_hosts/,
      ),
    });
  });

  test("nor by a redirect, nor by git", async () => {
    const url = `${open}/to/${encodeURIComponent("http://169.254.169.254/latest/")}`;
    await expect(fetched(url)).rejects.toThrow(/cloud's metadata/);
    await expect(cloned("http://169.254.169.254/a.git", {})).rejects.toThrow(/cloud's metadata/);
    await expect(cloned("git@169.254.169.254:a", {})).rejects.toThrow(/cloud's metadata/);
  });

  test("unless the worker's settings name it", async () => {
    const place = { url: "http://169.254.169.254/", host: "169.254.169.254" };
    const looked = (download_hosts: string[]) =>
      reachableAddresses(downloadRules({ download_hosts }), place);
    for (const entry of ["169.254.169.254", "169.254.0.0/16"]) {
      await expect(looked([entry])).resolves.toEqual([{ address: place.host, family: 4 }]);
    }
    await expect(looked(["*"])).rejects.toThrow(/cloud's metadata/);
  });

  test("reach all else", async () => {
    await expect(fetched(`${open}/file`)).resolves.toMatchObject({ sizeBytes: 6 });
    const { port } = new URL(open);
    await expect(fetched(`http://localhost:${port}/file`)).resolves.toMatchObject({ sizeBytes: 6 });
  });
});

describe("with a list of hosts", () => {
  const only = { download_hosts: ["127.0.0.1"] };

  test("others are not asked, and it is said who may change that", async () => {
    await expect(fetched(`${open}/file`, only)).resolves.toMatchObject({ sizeBytes: 6 });
    asked.length = 0;
    const url = `${closed}/file`;
    await expect(fetched(url, only)).rejects.toMatchObject({
      type: "Job",
      message: `'${url}': the jobs of this worker may not reach 127.0.0.2: it is not in download_hosts. Who may change the worker allows it by its setting download_hosts`,
    });
    expect(asked).toEqual([]);
  });

  test("nor by a redirect of one of them", async () => {
    const url = `${open}/to/${encodeURIComponent(`${closed}/file`)}`;
    await expect(fetched(url, only)).rejects.toThrow(/may not reach 127\.0\.0\.2/);
    expect(asked.map((one) => one.split("/")[0])).toEqual(["127.0.0.1"]);
  });

  test("the lab's own server is reached", async () => {
    process.env["PUMICE_URL"] = closed;
    await expect(fetched(`${closed}/file`, only)).resolves.toMatchObject({ sizeBytes: 6 });
  });

  test("git clones from them, and follows neither redirects nor submodules to others", async () => {
    await expect(cloned(`${open}/inner.git`, only)).resolves.toMatch(/^[\da-f]{40}$/);
    rmSync(at("got"), { recursive: true });
    await expect(cloned(`${closed}/inner.git`, only)).rejects.toThrow(/may not reach 127\.0\.0\.2/);
    asked.length = 0;
    await expect(cloned(`${open}/moved/inner.git`, only)).rejects.toThrow(
      /may not reach 127\.0\.0\.2/,
    );
    await expect(cloned(`${open}/outer.git`, only, true)).rejects.toThrow(
      /may not reach 127\.0\.0\.2/,
    );
    expect(asked.filter((one) => one.startsWith("127.0.0.2"))).toEqual([]);
    const both = { download_hosts: ["127.0.0.*"] };
    await expect(cloned(`${open}/outer.git`, both, true)).resolves.toMatch(/^[\da-f]{40}$/);
    expect(readFileSync(at("got/in/a"), "utf8")).toBe("a");
  });
});

describe("with hosts that are denied", () => {
  const settings = { download_hosts_denied: ["private"] };

  test("a name counts by its addresses", async () => {
    const { port } = new URL(open);
    const url = `http://localhost:${port}/file`;
    await expect(fetched(url, settings)).rejects.toThrow(
      /may not reach localhost: its address \S+ is denied by download_hosts_denied \(private\)/,
    );
    const listed = { ...settings, download_hosts: ["localhost"] };
    await expect(fetched(url, listed)).resolves.toMatchObject({ sizeBytes: 6 });
    // A pattern is for names of one's own: what is denied is not opened by it.
    await expect(fetched(url, { ...settings, download_hosts: ["*"] })).rejects.toThrow(/denied/);
    expect(asked).toHaveLength(1);
  });

  test("a job's own remotes of rclone are refused: nobody knows where they lead", async () => {
    const request = {
      ...{ url: "rclone://mine/file", target: at("got"), rules: downloadRules(settings) },
      rclone: { env: { RCLONE_CONFIG_MINE_TYPE: "http" } },
    };
    await expect(download(request)).rejects.toThrow(/may not describe remotes of their own/);
  });

  test.each(["10.0.0.0/33", "http://a/", "a b", "10.0.0/"])("%s is said to be none", (entry) => {
    expect(() => downloadRules({ download_hosts_denied: [entry] })).toThrow(
      /expected the name of a host/,
    );
  });
});
