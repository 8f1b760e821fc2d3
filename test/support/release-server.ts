import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a download meets instead of an honest answer. */
export type DownloadFault =
  /** The connection breaks after so many bytes of the body. */
  | { cutAfter: number }
  /** The body ends, properly, after so many bytes. */
  | { endAfter: number }
  | { status: number }
  /** After so many bytes nothing more comes. */
  | { stallAfter: number }
  /** Ranges are not known here. */
  | { whole: true };

export interface ReleaseServer {
  readonly url: string;
  /** The `range` of each request, `""` for one without. */
  readonly ranges: string[];
  /** For the next requests, one each. */
  readonly faults: DownloadFault[];
  content: Buffer;
  close(): Promise<void>;
}

/** Serves one file, with parts of it, as S3 does. */
export async function releaseServer(content: Buffer): Promise<ReleaseServer> {
  const server = createServer((request, response) => serve(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const made: ReleaseServer = {
    url: `http://127.0.0.1:${port}/file`,
    ranges: [],
    faults: [],
    content,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const { range = "" } = request.headers;
    made.ranges.push(range);
    const fault = made.faults.shift();
    if (fault && "status" in fault) return void response.writeHead(fault.status).end("no");
    const first = /^bytes=(\d+)-$/.exec(range)?.[1];
    const isPart = first !== undefined && !(fault && "whole" in fault);
    const start = isPart ? Number(first) : 0;
    const size = made.content.length;
    const body = made.content.subarray(start);
    const length = fault && "endAfter" in fault ? fault.endAfter : body.length;
    response.writeHead(isPart ? 206 : 200, {
      "content-length": length,
      ...(isPart ? { "content-range": `bytes ${start}-${size - 1}/${size}` } : {}),
    });
    if (fault && "stallAfter" in fault) response.write(body.subarray(0, fault.stallAfter));
    else if (fault && "cutAfter" in fault) {
      response.write(body.subarray(0, fault.cutAfter), () => response.destroy());
    } else response.end(body.subarray(0, length));
  }
  return made;
}
