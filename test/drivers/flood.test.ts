import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { readConnectionCommand } from "../../worker/drivers/connection-command.ts";
import { openTransport } from "../../worker/drivers/open-transport.ts";
import { processTransport } from "../../worker/drivers/process-transport.ts";
import { ptyTransport } from "../../worker/drivers/pty-transport.ts";
import { openSpool } from "../../worker/host/spool.ts";
import { startLineServer } from "../support/line-server.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What is still in memory, of the heap and of buffers. */
function usedMiB(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 / 1024;
}

const TOTAL_BYTES = 64 * 1024 * 1024;
/** What may wait for the disk on a busy machine, and far from all of it. */
const MOST_MIB = 40;
const BLOCK = Buffer.from("a line of a DUT that never stops talking\r\n".repeat(1560));

test.each(["telnet", "tcp"])(
  "a DUT that never stops talking over %s takes no memory",
  async (kind) => {
    let sent = 0;
    const server = await startLineServer((socket) => {
      const more = (): void => {
        while (sent < TOTAL_BYTES && socket.writable) {
          sent += BLOCK.length;
          const taken = socket.write(BLOCK);
          if (!taken) return;
        }
        if (sent >= TOTAL_BYTES) socket.end("the end\r\n");
      };
      socket.on("drain", more);
      more();
    });
    const spool = openSpool("/dev/null");
    let lines = 0;
    const before = usedMiB();
    const target = readConnectionCommand(`${kind}://127.0.0.1:${server.port}`);
    const signal = new AbortController().signal;
    const console = new Console(await openTransport("uart0", target, signal), {
      log: (level, text) => {
        spool.append(JSON.stringify({ level, text }));
        return (lines += 1);
      },
    });
    await console.expect({ end: /the end\r\n/g }, { timeoutSeconds: 25, signal });
    expect(lines).toBe((sent / BLOCK.length) * 1560 + 1);
    expect(usedMiB() - before).toBeLessThan(MOST_MIB);
    await console.close();
    await spool.close();
    await server.close();
  },
);

test.each([
  ["a process", processTransport],
  ["a pseudo-terminal", ptyTransport],
])("a program on %s that never stops talking takes no memory", async (_, open) => {
  const words = `yes '${"a line of a program that never stops talking".repeat(4)}' | head -c ${TOTAL_BYTES}; echo; echo the end`;
  const spool = openSpool("/dev/null");
  let chars = 0;
  const before = usedMiB();
  const console = new Console(await open(["sh", "-c", words]), {
    log: (level, text) => {
      spool.append(JSON.stringify({ level, text }));
      return (chars += text.length);
    },
  });
  const { signal } = new AbortController();
  await console.expect({ end: /the end\r?\n/g }, { timeoutSeconds: 50, signal });
  expect(chars).toBeGreaterThan(TOTAL_BYTES * 0.98);
  expect(usedMiB() - before).toBeLessThan(MOST_MIB);
  await console.close();
  await spool.close();
});
