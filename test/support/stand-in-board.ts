import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

export interface StandInBoard {
  /** As a dictionary's connection has it. */
  readonly connection: string;
  /** Address of the plug that it hangs on, which speaks Tasmota's interface. */
  readonly plug: string;
  close(): Promise<void>;
}

export interface Firmware {
  /** What it says when it is switched on. */
  readonly banner: string;
  /** What it answers to a line that was typed; what it says last is its prompt. */
  readonly answers: (line: string) => string;
  /** Until a first key is pressed it types nothing back: what it says then. */
  readonly interrupted?: string;
}

/**
 * A board as a lab has it: a console on TCP and a plug that is switched by HTTP. What its firmware is told decides what it
 * answers.
 */
export async function startStandInBoard(firmware: Firmware): Promise<StandInBoard> {
  let console: Socket | undefined;
  let isInterrupted = false;
  let line = "";
  const say = (text: string): void => void console?.write(text);
  const take = (character: string): void => {
    if (!isInterrupted) {
      isInterrupted = true;
      return say(firmware.interrupted ?? "");
    }
    if (character !== "\n" && character !== "\r") {
      line += character;
      return say(character);
    }
    say(`\r\n${firmware.answers(line)}`);
    line = "";
  };
  const switchedOn = (): void => {
    isInterrupted = firmware.interrupted === undefined;
    line = "";
    say(firmware.banner);
  };
  const serial = createServer((socket) => {
    console = socket.setNoDelay(true).setEncoding("utf8");
    socket.on("error", () => {});
    socket.on("data", (text) => {
      for (const character of String(text)) take(character);
    });
  });
  let isOn = true;
  const plug = createHttpServer((request, response) => {
    const words = new URL(request.url ?? "/", "http://plug").searchParams.get("cmnd") ?? "";
    const wanted = /^Power1(?: (On|Off))?$/.exec(words);
    if (!wanted) return response.writeHead(400).end();
    const wasOn = isOn;
    if (wanted[1] !== undefined) isOn = wanted[1] === "On";
    if (isOn && !wasOn) switchedOn();
    response.end(JSON.stringify({ POWER: isOn ? "ON" : "OFF" }));
  });
  const [consolePort, plugPort] = [await listen(serial), await listen(plug)];
  return {
    connection: `tcp://127.0.0.1:${consolePort}`,
    plug: `http://127.0.0.1:${plugPort}`,
    close: async () => {
      console?.destroy();
      plug.closeAllConnections();
      await Promise.all([once(serial.close(), "close"), once(plug.close(), "close")]);
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
