import { spawn, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { ptyTransport } from "../../worker/drivers/pty-transport.ts";

/**
 * What a board with Android has for adb, on TCP: enough for `adb shell`, `adb push` and `adb reboot` of a real adb (its
 * protocol with `shell_v2`, no keys). What the client asks for is done by real programs, wherever `inside` puts them.
 */
export interface Adbd {
  /** As `adb -s` takes it, once `adb connect` was told it. */
  readonly serial: string;
  /** What was asked for: `shell,v2,…:ls`, `sync:`, `reboot:bootloader`. */
  readonly services: readonly string[];
  close(): Promise<void>;
}

type Argv = readonly [string, ...string[]];

/** The words that run a program on the board, on its terminal or not. */
export type Inside = (argv: Argv, hasTerminal: boolean) => Argv;

export async function startAdbd(inside: Inside): Promise<Adbd> {
  const services: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    talk(socket, (service, stream) => {
      services.push(service);
      if (service.startsWith("shell")) return shellService(service, stream, inside);
      if (service === "sync:") return syncService(stream, inside);
      // reboot: it just goes.
      stream.close();
      return () => {};
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    serial: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    services,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** One of the conversations on a connection. */
interface Stream {
  send(data: Buffer): void;
  /** After what was sent. */
  close(): void;
  /** Called when the client has closed it. */
  onClose(listener: () => void): void;
}

/** Begins a service; what it returns takes the client's data. */
type Open = (service: string, stream: Stream) => (data: Buffer) => void;

const BANNER = "device::ro.product.name=bed;ro.product.model=bed;ro.product.device=bed;";
const FEATURES = "features=shell_v2";
const MAX_DATA = 4096;

/** Messages have a header of six numbers: command, two arguments, length and sum of the data, command inverted. */
function talk(socket: Socket, open: Open): void {
  const send = (
    command: string,
    one: number,
    two: number,
    data: Buffer = Buffer.alloc(0),
  ): void => {
    const header = Buffer.alloc(24);
    const word = Buffer.from(command).readUInt32LE();
    const sum = data.reduce((all, byte) => all + byte, 0);
    const numbers = [word, one, two, data.length, sum, (word ^ 0xffffffff) >>> 0];
    numbers.forEach((number, index) => header.writeUInt32LE(number, index * 4));
    socket.write(Buffer.concat([header, data]));
  };
  const streams = new Map<number, OpenStream>();
  const take = (command: string, client: number, own: number, data: Buffer): void => {
    const stream = streams.get(own);
    if (command === "CNXN") send("CNXN", 0x01000000, MAX_DATA, Buffer.from(BANNER + FEATURES));
    if (command === "OPEN") {
      send("OKAY", client, client);
      const opened = openStream((name, part) => send(name, client, client, part));
      streams.set(client, opened);
      opened.take = open(data.toString().replace(/\0$/, ""), opened.stream);
    }
    if (command === "OKAY") stream?.acknowledged();
    if (command === "WRTE") {
      send("OKAY", own, client);
      stream?.take(data);
    }
    if (command === "CLSE") {
      stream?.closed();
      streams.delete(own);
    }
  };
  const messages = splitter((buffer) => {
    if (buffer.length < 24) return undefined;
    const length = 24 + buffer.readUInt32LE(12);
    return buffer.length < length ? undefined : length;
  });
  socket.on("close", () => streams.forEach((stream) => stream.closed()));
  socket.on("data", (data) => {
    for (const message of messages(data)) {
      const command = message.toString("latin1", 0, 4);
      take(command, message.readUInt32LE(4), message.readUInt32LE(8), message.subarray(24));
    }
  });
}

interface OpenStream {
  readonly stream: Stream;
  take: (data: Buffer) => void;
  acknowledged(): void;
  closed(): void;
}

/** Each piece of data waits until the one before was acknowledged. */
function openStream(send: (command: string, data?: Buffer) => void): OpenStream {
  const waiting: (Buffer | "close")[] = [];
  const listeners: (() => void)[] = [];
  let isBusy = false;
  const next = (): void => {
    const part = isBusy ? undefined : waiting.shift();
    if (part === undefined) return;
    if (part === "close") return send("CLSE");
    isBusy = true;
    send("WRTE", part);
  };
  const queue = (...parts: (Buffer | "close")[]): void => {
    waiting.push(...parts);
    next();
  };
  return {
    stream: {
      send: (data) => {
        for (let at = 0; at < data.length; at += MAX_DATA) {
          queue(data.subarray(at, at + MAX_DATA));
        }
      },
      close: () => queue("close"),
      onClose: (listener) => void listeners.push(listener),
    },
    take: () => {},
    acknowledged: () => {
      isBusy = false;
      next();
    },
    closed: () => listeners.splice(0).forEach((listener) => listener()),
  };
}

/** `shell,v2,…,raw:COMMAND` or `shell,v2,…,pty:`; its data has packets of a kind, a length and bytes. */
function shellService(service: string, stream: Stream, inside: Inside): (data: Buffer) => void {
  const KIND = { stdin: 0, stdout: 1, stderr: 2, exit: 3, closeStdin: 4 };
  const packet = (kind: number, data: Buffer): void => {
    const header = Buffer.from([kind, 0, 0, 0, 0]);
    header.writeUInt32LE(data.length, 1);
    stream.send(Buffer.concat([header, data]));
  };
  const ended = (code: number): void => {
    packet(KIND.exit, Buffer.from([code]));
    stream.close();
  };
  const packets = splitter((buffer) =>
    buffer.length < 5 || buffer.length < 5 + buffer.readUInt32LE(1)
      ? undefined
      : 5 + buffer.readUInt32LE(1),
  );
  const command = service.slice(service.indexOf(":") + 1);
  let input: (data: Buffer) => void = () => {};
  let endInput = (): void => {};
  if (command === "") {
    const terminal = ptyTransport(inside(["sh", "-i"], true));
    void terminal.then((transport) => {
      transport.onData((bytes) => packet(KIND.stdout, Buffer.from(bytes)));
      transport.onEnd(() => ended(0));
    });
    input = (data) => void terminal.then((transport) => transport.write(data));
    stream.onClose(() => void terminal.then((transport) => transport.close()));
  } else {
    const child = start(inside(["sh", "-c", command], false));
    child.stdout?.on("data", (data: Buffer) => packet(KIND.stdout, data));
    child.stderr?.on("data", (data: Buffer) => packet(KIND.stderr, data));
    child.on("close", (code) => ended(code ?? 255));
    input = (data) => void child.stdin?.write(data);
    endInput = () => void child.stdin?.end();
  }
  return (data) => {
    for (const part of packets(data)) {
      if (part[0] === KIND.stdin) input(part.subarray(5));
      if (part[0] === KIND.closeStdin) endInput();
    }
  };
}

/** File transfer to the board: requests of four letters and a number, which counts the bytes that follow. */
function syncService(stream: Stream, inside: Inside): (data: Buffer) => void {
  let file: ChildProcess | undefined;
  const answer = (name: string, ...numbers: number[]): void => {
    const text = Buffer.alloc(4 + numbers.length * 4, name);
    numbers.forEach((number, index) => text.writeUInt32LE(number, 4 + index * 4));
    stream.send(text);
  };
  const requests = splitter((buffer) => {
    if (buffer.length < 8) return undefined;
    const isTime = buffer.toString("latin1", 0, 4) === "DONE";
    const length = 8 + (isTime ? 0 : buffer.readUInt32LE(4));
    return buffer.length < length ? undefined : length;
  });
  const take = (name: string, data: Buffer): void => {
    // Nothing is there yet, and what is asked for is no folder.
    if (name === "STAT") answer("STAT", 0, 0, 0);
    if (name === "QUIT") stream.close();
    if (name === "DATA") file?.stdin?.write(Buffer.from(data));
    if (name === "SEND") {
      const target = data.toString().replace(/,\d+$/, "");
      file = start(inside(["sh", "-c", 'cat > "$1"', "sh", target], false));
    }
    if (name === "DONE") {
      file?.on("close", (code) => answer(code === 0 ? "OKAY" : "FAIL", 0));
      file?.stdin?.end();
    }
  };
  return (data) => {
    for (const request of requests(data)) {
      take(request.toString("latin1", 0, 4), request.subarray(8));
    }
  };
}

function start([program, ...words]: Argv): ChildProcess {
  const child = spawn(program, words, { stdio: "pipe" });
  child.stdin.on("error", () => {});
  return child;
}

/** Collects data and hands out whole pieces; `lengthOf` says how long the first is, once that is there. */
function splitter(
  lengthOf: (buffer: Buffer) => number | undefined,
): (data: Buffer) => Generator<Buffer> {
  let rest = Buffer.alloc(0);
  return function* (data) {
    rest = Buffer.concat([rest, data]);
    for (let length = lengthOf(rest); length !== undefined; length = lengthOf(rest)) {
      const piece = rest.subarray(0, length);
      rest = rest.subarray(length);
      yield piece;
    }
  };
}
