import { closeSync, openSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { openFilesLeft } from "../../scripts/trials/open-files.ts";

const found = (): string => openFilesLeft("it", process.pid).join("\n");

test("a file that is open and was deleted is left over until it is closed", () => {
  const file = path.join(tmpdir(), `pumice-left-over-${process.pid}`);
  const fd = openSync(file, "w");
  expect(found()).not.toContain(file);
  rmSync(file);
  expect(found()).toContain(`it has a file open that was deleted: ${file} (deleted)`);
  closeSync(fd);
  expect(found()).not.toContain(file);
});

test("sockets that nobody closed are left over", async () => {
  const far: Socket[] = [];
  const server = createServer((socket) => void far.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const near = Array.from({ length: 70 }, () => connect(port, "127.0.0.1"));
  await Promise.all(near.map((socket) => once(socket, "connect")));
  expect(found()).toMatch(/it has \d+ sockets open/);
  const closed = [...near, server].map((one) => once(one, "close"));
  for (const socket of [...near, ...far]) socket.destroy();
  server.close();
  await Promise.all(closed);
});
