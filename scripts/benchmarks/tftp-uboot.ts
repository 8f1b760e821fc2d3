import { once } from "node:events";
import { connect } from "node:net";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { mkdirSync } from "node:fs";
import { startUboot } from "../../test/beds/uboot.ts";

/** A board with U-Boot at its prompt, with a network. */
export interface UbootClient {
  /** Fetches a file by TFTP and says at what rate, MiB a second, as U-Boot prints it. */
  fetch(server: string, file: string): Promise<number>;
  close(): Promise<void>;
}

export async function startUbootClient(folder: string): Promise<UbootClient> {
  const own = path.join(folder, "board");
  mkdirSync(own);
  const bed = await startUboot(own, console.error, "arm64");
  const socket = connect(bed.consolePort, "127.0.0.1");
  await once(socket, "connect");
  let said = "";
  socket.setEncoding("utf8").on("data", (text: string) => (said += text));
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(said);
      if (found) {
        said = said.slice(found.index + found[0].length);
        return found;
      }
      await once(socket, "data");
    }
  };
  const [, reset = ""] = /hard_reset_command = '(.*)'/.exec(bed.dictionary) ?? [];
  const [program = "", ...args] = reset.split(" ");
  execFileSync(program, args);
  await until(/Hit any key/);
  socket.write(" ");
  await until(/=> /);
  const type = async (line: string, answer: RegExp): Promise<RegExpExecArray> => {
    socket.write(`${line}\n`);
    const found = await until(answer);
    await until(/=> /);
    return found;
  };
  await type("setenv autoload no; dhcp", /DHCP client bound/);
  return {
    fetch: async (server, file) => {
      const answer = /([\d.]+) (MiB|KiB)\/s|not found|exceeded/;
      const [text, rate, unit] = await type(
        `setenv serverip ${server}; tftpboot 0x48000000 ${file}`,
        answer,
      );
      if (rate === undefined) throw new Error(`U-Boot can't fetch ${file}: ${text}`);
      return unit === "KiB" ? Number(rate) / 1024 : Number(rate);
    },
    close: async () => {
      socket.destroy();
      await bed.close();
    },
  };
}
