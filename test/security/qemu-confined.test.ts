import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { whyUnconfined } from "../../worker/actions/boot/qemu-confined.ts";
import { guestFindings } from "../../worker/doctor/guests.ts";
import { runTicket } from "../../worker/run-ticket.ts";

const QEMU = "qemu-system-x86_64";

/** A worker's folder as the agent has it: two jobs, and the token beside them. */
const dir = mkdtempSync(path.join(tmpdir(), "pumice-qemu-confined-"));
const at = (...parts: string[]) => path.join(dir, ...parts);
/** As that of a container client, by which one has the machine. */
const daemon = net.createServer((socket) => void socket.on("error", () => {}).resume());
afterAll(() => {
  daemon.close();
  rmSync(dir, { recursive: true });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => daemon.listen(at("socket"), resolve));
  for (const job of ["7", "8"]) mkdirSync(at("jobs", job), { recursive: true });
  writeFileSync(at("token"), Buffer.alloc(4096, "the worker's "), { mode: 0o600 });
  writeFileSync(at("own"), Buffer.alloc(4096));
  writeFileSync(at("for-all"), Buffer.alloc(4096));
  for (const name of ["own", "for-all"]) chmodSync(at(name), 0o644);
  chmodSync(dir, 0o755);
});
beforeEach(() => {
  writeFileSync(at("jobs/8/log.jsonl"), "another job's");
  process.env["PUMICE_JOB_DIR"] = at("jobs/7");
});
afterEach(() => delete process.env["PUMICE_JOB_DIR"]);

interface Tried {
  /** Whether QEMU took its command line: its monitor greets. */
  readonly isUp: boolean;
  readonly log: string;
}

/** Runs a job whose QEMU has no machine, but whatever else the words say; `{own}` is a file of the job. */
async function tried(
  words: string,
  dispatcher = "",
  file = at("own"),
  command = QEMU,
): Promise<Tried> {
  const lines: string[] = [];
  const never = new AbortController().signal;
  const { result } = await runTicket(
    {
      job_id: 7,
      token: "job-token",
      definition: JSON.stringify({
        ...{ job_name: "guest", visibility: "public", device_type: "qemu" },
        context: { arch: "amd64" },
        timeouts: { job: { seconds: 60 }, action: { seconds: 50 }, connection: { seconds: 40 } },
        actions: [
          {
            deploy: {
              to: "tmpfs",
              images: { own: { url: `file://${file}`, image_arg: words } },
            },
          },
          { boot: { method: "qemu", media: "tmpfs", prompts: ["\\(qemu\\)"] } },
        ],
      }),
      device: `available_architectures: [amd64]
actions:
  deploy: {methods: {image: {parameters: {guest: {size: 16, interface: virtio, driveid: lava}}}}}
  boot: {methods: {qemu: {parameters: {command: ${command}, options: ["-display none -monitor stdio -machine none"], extra: []}}}}
parameters: {}
constants: {kernel-start-message: ""}
timeouts: {actions: {}, connections: {}}
`,
      ...{ device_hostname: "dut-1", device_type: "qemu", dispatcher, env_dut: "" },
    },
    {
      scratch: at("jobs/7/scratch"),
      sink: (line) => void lines.push(line),
      signals: { cancel: never, cancelAgain: never },
    },
  );
  return { isUp: result === "pass", log: lines.join("\n") };
}

/** A QCOW2 image of 4 KiB (its header, version 2) whose base is another file. */
function imageOn(base: string): string {
  const image = Buffer.alloc(4 * 65_536);
  image.write("QFI\u00fb", 0, "latin1");
  image.writeUInt32BE(2, 4);
  image.writeBigUInt64BE(512n, 8);
  image.writeUInt32BE(base.length, 16);
  image.writeUInt32BE(16, 20);
  image.writeBigUInt64BE(4096n, 24);
  image.writeUInt32BE(1, 36);
  image.writeBigUInt64BE(131_072n, 40);
  image.writeBigUInt64BE(65_536n, 48);
  image.writeUInt32BE(1, 56);
  // The table of counts says that the clusters up to here are taken.
  image.writeBigUInt64BE(196_608n, 65_536);
  for (let cluster = 0; cluster < 4; cluster++) image.writeUInt16BE(1, 196_608 + 2 * cluster);
  image.write(base, 512);
  writeFileSync(at("overlay.qcow2"), image, { mode: 0o644 });
  return at("overlay.qcow2");
}

/** A library that loads, and is no plugin. */
function aLibrary(): string {
  const maps = readFileSync("/proc/self/maps", "utf8");
  const [libc = ""] = /\/\S+\/libc\.so\S*/.exec(maps) ?? [];
  copyFileSync(libc, at("library"));
  chmodSync(at("library"), 0o644);
  return at("library");
}

const programOf = (name: string): string =>
  (process.env["PATH"] ?? "")
    .split(":")
    .map((folder) => path.join(folder, name))
    .find((file) => existsSync(file)) ?? "";
const hasQemu = programOf(QEMU) !== "";
mkdirSync(at("probe"));
const unconfined = hasQemu ? await whyUnconfined(QEMU, at("probe")) : `there is no ${QEMU}`;
if (unconfined !== undefined) console.log(`skipped: QEMU can't be confined here: ${unconfined}`);

describe.skipIf(unconfined !== undefined)("a job's QEMU", () => {
  test.each([
    [
      "the worker's token as its disk",
      () => `-blockdev raw,node-name=a,file.driver=file,file.filename=${at("token")}`,
    ],
    [
      "another job's file",
      () => `-blockdev raw,node-name=a,file.driver=file,file.filename=${at("jobs/8/log.jsonl")}`,
    ],
    ["a socket of the worker's", () => `-chardev socket,id=a,path=${at("socket")}`],
    [
      "the environment of the agent",
      () => `-blockdev raw,node-name=a,file.driver=file,file.filename=/proc/${process.pid}/environ`,
    ],
  ])("has not %s", async (_what, words) => {
    expect(await tried(words())).toMatchObject({ isUp: false });
    expect(await tried(words(), "qemu_confinement: off\n")).toMatchObject({ isUp: true });
  });

  test("has not the worker's token as the base of its image", async () => {
    const words = "-blockdev qcow2,node-name=a,file.driver=file,file.filename={own}";
    const image = imageOn(at("token"));
    const confined = await tried(words, "", image);
    expect(confined.isUp).toBe(false);
    expect(confined.log).toContain("Could not open");
    expect(await tried(words, "qemu_confinement: off\n", image)).toMatchObject({ isUp: true });
  });

  test("writes to no file of another job", async () => {
    const words = `-chardev file,id=a,path=${at("jobs/8/log.jsonl")}`;
    expect(await tried(words)).toMatchObject({ isUp: false });
    expect(readFileSync(at("jobs/8/log.jsonl"), "utf8")).toBe("another job's");
    expect(await tried(words, "qemu_confinement: off\n")).toMatchObject({ isUp: true });
    expect(readFileSync(at("jobs/8/log.jsonl"), "utf8")).toBe("");
  });

  test("loads no library of the job's", async () => {
    const library = aLibrary();
    expect((await tried("-plugin {own}", "", library)).log).toContain("failed to map segment");
    const { log } = await tried("-plugin {own}", "qemu_confinement: off\n", library);
    expect(log).not.toContain("failed to map segment");
    expect(log).toContain("-plugin");
  });

  test("is confined, as the doctor says", async () => {
    expect(await guestFindings(undefined, {})).toMatchObject([{ state: "ok" }]);
  });

  test("has its own files, what everybody may read, and what the worker's setting lists", async () => {
    const disk = (file: string) =>
      `-blockdev raw,node-name=a,file.driver=file,file.filename=${file}`;
    expect(await tried(disk("{own}"))).toMatchObject({ isUp: true });
    const readOnly = `${disk(at("for-all"))},read-only=on`;
    expect(await tried(readOnly)).toMatchObject({ isUp: true });
    expect(await tried(disk(at("for-all")))).toMatchObject({ isUp: false });
    const setting = `qemu_files: [${at("for-all")}]\n`;
    expect(await tried(disk(at("for-all")), setting)).toMatchObject({ isUp: true });
    expect(readdirSync(at("jobs/7"))).not.toContain("scratch");
    // Whatever is in a name, it is one file: here its end would be a mount of its own.
    const odd = at(`odd \\040\t${at("token")} none bind`);
    mkdirSync(path.dirname(odd), { recursive: true });
    writeFileSync(odd, Buffer.alloc(512), { mode: 0o644 });
    const named = `${disk(odd).replace(odd, `"${odd}"`)},read-only=on`;
    expect(await tried(named)).toMatchObject({ isUp: true });
    const token = disk(at("token")).replace("node-name=a", "node-name=b");
    expect(await tried(`${named} ${token}`)).toMatchObject({ isUp: false });
  });
});

describe.skipIf(!hasQemu)("where QEMU can't be confined", () => {
  /** By another path each, as a runner asks once for each program. */
  const without = async <T>(name: string, work: (qemu: string) => Promise<T>): Promise<T> => {
    const before = process.env["PATH"];
    mkdirSync(at(name));
    const unshare = "#!/bin/sh\necho 'unshare: it is forbidden here' >&2\nexit 1\n";
    writeFileSync(at(name, "unshare"), unshare, { mode: 0o755 });
    symlinkSync(realpathSync(programOf(QEMU)), at(name, "qemu"));
    process.env["PATH"] = `${at(name)}:${before}`;
    try {
      return await work(at(name, "qemu"));
    } finally {
      process.env["PATH"] = before;
    }
  };
  const triedWithout = (name: string, dispatcher: string): Promise<Tried> =>
    without(name, (qemu) => tried("-name a", dispatcher, at("own"), qemu));

  test("it runs as before, and the job's log says so", async () => {
    const { isUp, log } = await triedWithout("some", "");
    expect(isUp).toBe(true);
    expect(log).toContain("QEMU runs with all rights of the worker's user");
    expect(log).toContain("it is forbidden here");
  });

  test("its job is refused before anything is fetched where the worker's setting requires it", async () => {
    const { isUp, log } = await triedWithout("must", "qemu_confinement: required\n");
    expect(isUp).toBe(false);
    expect(log).toMatch(/QEMU can't be confined on this worker \(.*it is forbidden here\)/);
    expect(log).toContain("Infrastructure");
    expect(log).not.toContain("/own");
  });

  test("the doctor says so, and what to do", async () => {
    const looked = (settings: object) =>
      without(`d${Object.keys(settings).length}`, () => guestFindings(undefined, { ...settings }));
    const text = expect.stringMatching(/it is forbidden here; .*user namespaces.*sysctl/);
    expect(await looked({})).toMatchObject([{ state: "note", text }]);
    expect(await looked({ qemu_confinement: "required" })).toMatchObject([
      { state: "wrong", text },
    ]);
    expect(await guestFindings(undefined, { qemu_confinement: 3 })).toMatchObject([
      { state: "wrong" },
    ]);
    expect(await guestFindings([], {})).toEqual([]);
  });

  test("a setting that is none is said", async () => {
    expect((await tried("-name a", "qemu_confinement: yes please\n")).log).toContain(
      "expected required or off",
    );
  });
});
