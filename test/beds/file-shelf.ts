import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";

export interface FileShelf {
  /** `http://127.0.0.1:<port>/` */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves files by their names in a URL, on loopback: the server that jobs download from. */
export async function startFileShelf(files: Readonly<Record<string, string>>): Promise<FileShelf> {
  const server = createServer((request, response) => {
    const file = files[path.basename(request.url ?? "")];
    if (file === undefined) return response.writeHead(404).end();
    void stat(file).then(({ size }) => {
      response.writeHead(200, { "content-length": size });
      if (request.method === "HEAD") response.end();
      else createReadStream(file).pipe(response);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
