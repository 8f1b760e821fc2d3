import { connect, createServer, type AddressInfo } from "node:net";

export interface LossyWire {
  readonly port: number;
  /** How many characters got lost. */
  lost(): number;
  close(): Promise<void>;
}

/**
 * A wire to a console on TCP that loses characters of what is typed: the one behind each of these words, the first time
 * that the word is typed.
 */
export async function startLossyWire(
  consolePort: number,
  behind: readonly string[],
): Promise<LossyWire> {
  const waiting = new Set(behind);
  let lost = 0;
  let typed = "";
  const server = createServer((near) => {
    const far = connect({ port: consolePort, host: "127.0.0.1", noDelay: true });
    near.on("data", (bytes) => {
      const kept = Array.from(bytes.toString("latin1")).filter((character) => {
        const word = [...waiting].find((candidate) => typed.endsWith(candidate));
        typed = (typed + character).slice(-100);
        if (word === undefined) return true;
        waiting.delete(word);
        lost += 1;
        return false;
      });
      far.write(Buffer.from(kept.join(""), "latin1"));
    });
    far.pipe(near);
    near.on("close", () => far.destroy());
    near.on("error", () => {});
    far.on("error", () => {});
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    lost: () => lost,
    close: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}
