// inject-blob.ts API FILE BLOB: puts BLOB into the Node.js executable FILE, by postject's API. A program of its own:
// postject warns, on this program's terminal, of what is no fault.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

/** Marks, in Node.js's executable, whether there is an application in it (Node.js's documentation of SEA). */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

interface Postject {
  inject(
    file: string,
    resource: string,
    data: Buffer,
    options: { sentinelFuse: string },
  ): Promise<void>;
}

const [api = "", file = "", blob = ""] = process.argv.slice(2);
const postject = createRequire(import.meta.url)(api) as Postject;
await postject.inject(file, "NODE_SEA_BLOB", await readFile(blob), { sentinelFuse: FUSE });
