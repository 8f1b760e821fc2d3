import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { vi } from "vitest";
import type { MethodPage } from "./method-page.ts";
import { runOnBed, type BedRan } from "./run-on-bed.ts";

/**
 * A worker's machine without its hardware: stand-ins of tools on PATH, a USB that tests fill, files by HTTP and
 * a board's console on TCP.
 */
export interface ToolBench {
  readonly folder: string;
  /**
   * An executable on PATH: JavaScript that checks its arguments (`argv`), says `fail(exitCode, text)`, may `plug` and
   * `unplug` USB devices and has `fs`, `path` and `bench` (the folder).
   */
  tool(name: string, script: string): void;
  /** Every call of a tool so far, in order: its name and arguments, job's folders replaced by `SCRATCH`. */
  calls(name?: string): string[][];
  plug(port: string, device: Readonly<Record<string, string>>): void;
  /** Serves a file below the page's address `http://files.example.com/`. */
  serve(name: string, content: string | Buffer): void;
  /** What the board does when somebody connects to its console. */
  onConsole(talk: (socket: Socket) => void): void;
  /** Runs a page's job on its dictionary. */
  run(page: Pick<MethodPage, "job" | "dictionary">, cancel?: AbortSignal): Promise<BedRan>;
  close(): Promise<void>;
}

export async function startToolBench(): Promise<ToolBench> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-tools-"));
  for (const name of ["bin", "sys/bus/usb/devices", "dev/disk/by-id", "dev/disk/by-label"]) {
    mkdirSync(path.join(folder, name), { recursive: true });
  }
  vi.stubEnv("PATH", `${path.join(folder, "bin")}:${process.env["PATH"] ?? ""}`);
  vi.stubEnv("PUMICE_SYS", path.join(folder, "sys"));
  vi.stubEnv("PUMICE_DEV", path.join(folder, "dev"));
  const served = new Map<string, Buffer>();
  const files = createHttpServer(({ url = "" }, response) => {
    const content = served.get(url.slice(1));
    response.writeHead(content ? 200 : 404, { "content-length": content?.byteLength ?? 0 });
    response.end(content);
  });
  const sockets = new Set<Socket>();
  let talk: (socket: Socket) => void = () => {};
  const board = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    talk(socket);
  });
  const filesPort = await listen(files);
  const consolePort = await listen(board);
  const log = path.join(folder, "calls");
  const calls = (name?: string): string[][] => {
    const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
    const all = lines.map((line) =>
      (JSON.parse(line) as string[]).map((word) =>
        word.replaceAll(/\/\S*\/pumice-bed-[^/]+\/scratch/g, "SCRATCH"),
      ),
    );
    return name === undefined ? all : all.filter(([first]) => first === name);
  };
  return {
    folder,
    calls,
    tool: (name, script) => {
      const text = `#!${process.execPath}\n${PRELUDE(folder, name)}\n${script}\n`;
      writeFileSync(path.join(folder, "bin", name), text, { mode: 0o755 });
    },
    plug: (port, device) => plug(folder, port, device),
    serve: (name, content) => void served.set(name, Buffer.from(content)),
    onConsole: (next) => (talk = next),
    run: ({ job, dictionary }, cancel) =>
      runOnBed({
        job: job.replaceAll("http://files.example.com/", `http://127.0.0.1:${filesPort}/`),
        dictionary: dictionary.replaceAll("localhost 7001", `127.0.0.1 ${consolePort}`),
        dispatcher: { dispatcher_ip: "127.0.0.1" },
        ...(cancel ? { cancel } : {}),
      }),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      files.closeAllConnections();
      await Promise.all([files, board].map((server) => stopped(server)));
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function plug(folder: string, port: string, device: Readonly<Record<string, string>>): void {
  const at = path.join(folder, "sys/bus/usb/devices", port);
  mkdirSync(at, { recursive: true });
  const { tty, ...attributes }: Record<string, string> = { busnum: "1", devnum: "7", ...device };
  for (const [key, value] of Object.entries(attributes)) writeFileSync(path.join(at, key), value);
  if (tty) mkdirSync(path.join(at, `${port}:1.0/tty/${tty}`), { recursive: true });
}

/** What a stand-in knows before its own script. */
const PRELUDE = (folder: string, name: string): string => `
const fs = require("node:fs"), path = require("node:path");
const argv = process.argv.slice(2), bench = ${JSON.stringify(folder)};
fs.appendFileSync(bench + "/calls", JSON.stringify([${JSON.stringify(name)}, ...argv]) + "\\n");
const fail = (code, text) => { fs.writeSync(2, text + "\\n"); process.exit(code); };
const devices = bench + "/sys/bus/usb/devices/";
const plug = (port, device) => {
  const { tty, ...attributes } = { busnum: "1", devnum: "7", ...device };
  fs.mkdirSync(devices + port, { recursive: true });
  for (const key in attributes) fs.writeFileSync(devices + port + "/" + key, attributes[key]);
  if (tty) fs.mkdirSync(devices + port + "/" + port + ":1.0/tty/" + tty, { recursive: true });
};
const unplug = (port) => fs.rmSync(devices + port, { recursive: true, force: true });
`;

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const stopped = (server: Server): Promise<void> =>
  new Promise((resolve) => server.close(() => resolve()));
