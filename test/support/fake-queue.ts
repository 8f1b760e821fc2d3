import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const xml = (inner: string): string =>
  `<?xml version="1.0"?><ReceiveMessageResponse><ReceiveMessageResult>${inner}</ReceiveMessageResult></ReceiveMessageResponse>`;

let messages = 0;

/** What a queue says when it has been rung; with one more message each time, unless it is told which. */
export const message = (id = ++messages): string =>
  xml(`<Message><MessageId>${id}</MessageId><Body>ring</Body></Message>`);
/** What a queue says when it has not been rung. */
export const NO_MESSAGE = xml("");

/** A worker's queue on a real socket: holds every request until the test says how it ends. */
export class FakeQueue {
  readonly requests: IncomingMessage[] = [];
  /** Answers every request at once, when it is set. */
  usual: { status: number; body: () => string } | undefined;
  readonly #held = new Set<ServerResponse>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push(request);
      this.#held.add(response);
      response.once("close", () => {
        this.#held.delete(response);
        this.#changes.emit("change");
      });
      if (this.usual) this.answer(this.usual.body(), this.usual.status);
      this.#changes.emit("change");
    });
  }

  /** With a signature that is nobody else's business. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/1/pumice-w-1?Action=ReceiveMessage&X-Amz-Signature=secret`;
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  /** Requests that are being held. */
  get held(): number {
    return this.#held.size;
  }

  /** Resolves when the condition holds; asked again after every request and when one has ended. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.#changes, "change");
  }

  /** Resolves when the `n`th request is held. */
  async asked(n: number): Promise<void> {
    await this.until(() => this.requests.length >= n && this.held > 0);
  }

  /** Answers all that is held. */
  answer(body: string, status = 200): void {
    for (const response of this.#held) response.writeHead(status).end(body);
  }

  /** Breaks all connections. */
  breakOff(): void {
    this.#server.closeAllConnections();
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.breakOff();
    await once(this.#server, "close");
  }
}
