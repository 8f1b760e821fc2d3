import type { Socket } from "node:net";

/** Longer ones are nobody's: the other side is not what it should be. */
const MAX_LINE_CHARS = 256 * 1024;

/** Gives each line of JSON that comes over a socket to `take`; what is no JSON, or too long, ends the connection. */
export function readJsonLines(socket: Socket, take: (value: unknown) => void): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_CHARS) return void socket.destroy();
    for (const line of lines) {
      if (socket.destroyed) return;
      try {
        take(JSON.parse(line));
      } catch {
        socket.destroy();
      }
    }
  });
}

/** Resolves when there is room for more. */
export function writeJsonLine(socket: Socket, value: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(`${JSON.stringify(value)}\n`, (error) => (error ? reject(error) : resolve()));
  });
}
