import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import type { Transport } from "../../../worker/console/transport.ts";
import { startFileShelf } from "../file-shelf.ts";
import { makeGuest } from "../guest.ts";
import { startVirtualBoard, type VirtualBoard } from "../virtual-board.ts";
import type { NoisyDut } from "./run.ts";

/** A machine with a real kernel that several runs use one after the other. */
export interface GuestDut extends NoisyDut {
  readonly board: VirtualBoard;
  close(): Promise<void>;
}

export interface GuestOptions {
  /** So many processes write to the kernel's log all the time, and the kernel prints that on the console. */
  readonly kernelTalkers?: number;
}

const PROMPT = "root@pumice:~# ";
/** Where QEMU's own network shows this machine's loopback. */
const HOST = "10.0.2.2";
const TALK = 'while :; do echo "<4>talker says $((n+=1))" >/dev/kmsg; usleep 150000; done';

/** The guest of the tests as a board: Debian's kernel and busybox, its console on TCP. */
export async function startGuestBoard(
  folder: string,
  say: (line: string) => void,
): Promise<VirtualBoard> {
  const guest = await makeGuest(say, "amd64");
  return startVirtualBoard(folder, [
    ...([
      "qemu-system-x86_64",
      "-accel",
      "tcg",
      "-m",
      "256",
      "-nodefaults",
      "-vga",
      "none",
    ] as const),
    ...["-kernel", path.join(guest, "vmlinuz"), "-initrd", path.join(guest, "initramfs.cpio.gz")],
    ...["-append", "console=ttyS0 ip=dhcp printk.devkmsg=on ignore_loglevel"],
    ...["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="],
  ]);
}

/**
 * Starts one. Whoever opens it finds it at its prompt, with the overlay that was placed last: fetched over its network,
 * which no noise touches. A guest whose run did not come to its end is reset before the next one.
 */
export async function startGuestDut(
  folder: string,
  say: (line: string) => void,
  { kernelTalkers = 0 }: GuestOptions = {},
): Promise<GuestDut> {
  const board = await startGuestBoard(folder, say);
  const archive = path.join(folder, "overlay.tar.gz");
  const shelf = await startFileShelf({ "overlay.tar.gz": archive });
  const url = shelf.url.replace("127.0.0.1", HOST);
  const line = await openLine(board.consolePort);
  await pressed(board.powerOn);
  let mustReset = false;
  let isTalking = 0;
  return {
    board,
    shell: "/bin/sh",
    resultsDir: "/run/lava-%s",
    prompt: PROMPT,
    place: async ({ root }) => void execFileSync("tar", ["-C", root, "-czf", archive, "."]),
    ready: async () => {
      if (mustReset) await pressed(board.hardReset);
      if (mustReset) await line.until("Linux version");
      mustReset = true;
      await line.untilPrompt();
    },
    open: async () => {
      const fetch = `wget -q -O /tmp/overlay ${url}overlay.tar.gz && tar xzf /tmp/overlay -C /`;
      const again = "udhcpc -i eth0 -n -q -t 2 -T 1 -s /bin/dhcp-script";
      line.type(`set +m; rm -rf /run/lava-*; until ${fetch}; do ${again}; done; echo all''set`);
      await line.until("allset");
      if (isTalking === 0) {
        line.type(Array.from({ length: kernelTalkers }, () => `(${TALK}) &`).join(" "));
        isTalking = kernelTalkers;
      }
      return line.lend();
    },
    reset: () => void pressed(board.hardReset),
    left: (atPrompt) => {
      mustReset = !atPrompt;
      if (!atPrompt) isTalking = 0;
    },
    close: async () => {
      line.close();
      await board.close();
      await shelf.close();
    },
  };
}

const pressed = (command: string): Promise<unknown> => {
  const [program = "", ...args] = command.split(" ");
  return promisify(execFile)(program, args);
};

interface Line {
  /** Waits until the guest says this; what it said before is forgotten. */
  until(text: string): Promise<void>;
  /** Asks for the prompt until it comes: the kernel may speak into it. */
  untilPrompt(): Promise<void>;
  type(text: string): void;
  /** The line as a console; closing that leaves the line open. */
  lend(): Transport;
  close(): void;
}

async function openLine(port: number): Promise<Line> {
  const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  let seen = "";
  let wake = (): void => {};
  let lentTo: ((bytes: Uint8Array) => void) | undefined;
  let onEnd: (why: string) => void = () => {};
  socket.on("data", (bytes: Buffer) => {
    if (lentTo) return lentTo(bytes);
    seen = (seen + bytes.toString("latin1")).slice(-100_000);
    wake();
  });
  socket.on("error", () => {});
  socket.on("close", () => wake());
  const until = async (text: string): Promise<void> => {
    while (!seen.includes(text)) {
      if (socket.destroyed)
        throw new Error(`the guest ended; its last words: ${seen.slice(-2000)}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
    seen = seen.slice(seen.indexOf(text) + text.length);
  };
  const type = (text: string): void => void socket.write(`${text}\n`);
  return {
    until,
    untilPrompt: async () => {
      const ask = setInterval(() => type(""), 1000);
      await until(PROMPT).finally(() => clearInterval(ask));
    },
    type,
    lend: () => ({
      onData: (listener) => (lentTo = listener),
      onEnd: (listener) => (onEnd = listener),
      write: async (bytes) => void socket.write(bytes),
      close: async () => {
        lentTo = undefined;
        seen = "";
        onEnd("was closed");
      },
    }),
    close: () => void socket.destroy(),
  };
}
