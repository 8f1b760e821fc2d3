import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { ERROR, errorPacket, oackPacket, readAnswer, type ReadRequest } from "./tftp-packets.ts";
import { BlockReader, type BlockSource } from "./tftp-blocks.ts";

/** How one transfer went. */
export interface TransferEnd {
  readonly bytes: number;
  readonly resent: number;
  /** Why it ended too early; undefined when the client has the whole file. */
  readonly failure: string | undefined;
}

export interface TransferOptions {
  readonly client: { readonly address: string; readonly port: number };
  /** Address of ours that the client talks to. */
  readonly localAddress: string;
  readonly request: ReadRequest;
  readonly source: BlockSource;
  /** Wait for an answer before sending again, so many times; the client's `timeout` option replaces it. */
  readonly timeoutMs: number;
  readonly attempts: number;
}

/**
 * Sends a file to a client from a port of its own (its transfer identifier) and ends when the client has it
 * all, refuses, or is silent for too long. Blocks go out in windows (RFC 7440) of one block when the client
 * doesn't ask for more; their numbers begin again at 0 after 65535.
 */
export class Transfer {
  readonly #options: TransferOptions;
  readonly #socket: Socket;
  readonly #reader: BlockReader;
  readonly #oack: Buffer | undefined;
  readonly #windowSize: number;
  readonly #blocks: number;
  readonly #timer: NodeJS.Timeout;
  #ended: ((end: TransferEnd) => void) | undefined;
  /** Absolute numbers, from 1; 0 acknowledged stands for the options (or for nothing needed). */
  #acked = 0;
  #sent = 0;
  #isNegotiated: boolean;
  #tries = 0;
  #resent = 0;

  constructor(options: TransferOptions) {
    this.#options = options;
    const { request, source, timeoutMs } = options;
    const agreed = negotiate(request, source.size);
    this.#oack = agreed.oack.length > 0 ? oackPacket(agreed.oack) : undefined;
    this.#isNegotiated = this.#oack === undefined;
    this.#windowSize = agreed.windowSize;
    this.#reader = new BlockReader(source, agreed.blockSize, agreed.windowSize);
    this.#blocks = this.#reader.blocks;
    this.#socket = createSocket(isIPv6(options.localAddress) ? "udp6" : "udp4");
    this.#timer = setTimeout(() => this.#silent(), agreed.timeoutMs ?? timeoutMs);
  }

  /** Whether the client has answered at all. */
  get isUnderWay(): boolean {
    return this.#isNegotiated && this.#acked > 0;
  }

  async run(): Promise<TransferEnd> {
    const { client, localAddress } = this.#options;
    const socket = this.#socket;
    const end = new Promise<TransferEnd>((resolve) => (this.#ended = resolve));
    socket.on("error", (error) => this.end(error.message));
    socket.on("message", (packet) => this.#take(packet));
    socket.bind({ address: localAddress }, () => {
      socket.connect(client.port, client.address, (error?: Error) => {
        if (error) return this.end(error.message);
        this.#timer.refresh();
        if (this.#oack) socket.send(this.#oack);
        else this.#pump();
      });
    });
    return end;
  }

  /** Gives up; once ended, nothing happens. */
  end(failure: string | undefined): void {
    const ended = this.#ended;
    if (!ended) return;
    this.#ended = undefined;
    clearTimeout(this.#timer);
    const { size } = this.#options.source;
    const bytes = failure === undefined ? size : this.#reader.bytesOf(this.#acked);
    void this.#reader.close().finally(() => {
      try {
        this.#socket.close();
      } catch {
        // It could not even be bound.
      }
      ended({ bytes, resent: this.#resent, failure });
    });
  }

  /** Tells the client why it ends. */
  refuse(code: number, message: string): void {
    try {
      this.#socket.send(errorPacket(code, message));
    } catch {
      // Not connected yet.
    }
    this.end(message);
  }

  #take(packet: Buffer): void {
    const wire = readAnswer(packet);
    if (wire === undefined || !this.#ended) return;
    if (wire === -1) {
      const said = packet.toString("utf8", 4, 200).replace(/[^\x20-\x7e].*$/s, "");
      return this.end(`the client ended it: ${said || "no reason given"}`);
    }
    if (!this.#isNegotiated) {
      if (wire !== 0) return;
      this.#isNegotiated = true;
      this.#progress();
      return this.#pump();
    }
    // The one block that is on its way and has this number.
    const block = this.#acked + ((wire - this.#acked) & 0xffff);
    if (block > this.#sent) return;
    // Said twice: perhaps the network doubled it. To answer would double all that follows; the timer does.
    if (block === this.#acked) return;
    this.#acked = block;
    this.#progress();
    if (block === this.#blocks) return this.end(undefined);
    // Something of the window was lost: it goes on after what arrived.
    if (block < this.#sent) {
      this.#resent += this.#sent - block;
      this.#sent = block;
    }
    this.#pump();
  }

  #progress(): void {
    this.#tries = 0;
    this.#timer.refresh();
  }

  #silent(): void {
    if (!this.#ended) return;
    this.#tries += 1;
    if (this.#tries >= this.#options.attempts) return this.end("the client is silent");
    if (this.#oack && !this.#isNegotiated) {
      this.#resent += 1;
      this.#socket.send(this.#oack);
    } else this.#again();
    this.#timer.refresh();
  }

  #again(): void {
    this.#resent += this.#sent - this.#acked;
    this.#sent = this.#acked;
    this.#pump();
  }

  /** Sends what the window has room for and what is in memory; goes on when more has been read. */
  #pump(): void {
    const last = Math.min(this.#acked + this.#windowSize, this.#blocks);
    while (this.#sent < last) {
      const frame = this.#reader.frame(this.#sent + 1);
      if (!frame) {
        this.#reader.wait(this.#sent + 1).then(
          () => this.#ended && this.#pump(),
          (error: Error) => this.refuse(ERROR.other, error.message),
        );
        return;
      }
      this.#sent += 1;
      this.#socket.send(frame);
    }
  }
}

interface Agreed {
  readonly blockSize: number;
  readonly windowSize: number;
  readonly timeoutMs: number | undefined;
  readonly oack: readonly (readonly [string, string | number])[];
}

/** What the server takes of the options that it knows (RFC 2348, 2349, 7440); the others count as not sent. */
function negotiate({ options, mode }: ReadRequest, size: number): Agreed {
  const oack: (readonly [string, string | number])[] = [];
  const take = (name: string, low: number, high: number, most: number): number | undefined => {
    const text = options.get(name) ?? "";
    const asked = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
    if (!(asked >= low && asked <= high)) return undefined;
    const value = Math.min(asked, most);
    oack.push([name, value]);
    return value;
  };
  const blockSize = take("blksize", 8, 65_464, 65_464) ?? 512;
  const seconds = take("timeout", 1, 255, 255);
  const windowSize =
    take("windowsize", 1, 65_535, Math.min(64, Math.floor(MAX_WINDOW_BYTES / blockSize))) ?? 1;
  // A size in netascii would be another one.
  if (options.has("tsize") && mode === "octet") oack.push(["tsize", size]);
  return {
    blockSize,
    windowSize,
    timeoutMs: seconds === undefined ? undefined : seconds * 1000,
    oack,
  };
}

const MAX_WINDOW_BYTES = 256 * 1024;
