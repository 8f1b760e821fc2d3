import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { OpenedDevice } from "../agent/console-relays.ts";
import { jobDirectory } from "../host/job-directory.ts";
import { readJsonLines, writeJsonLine } from "../host/json-lines.ts";
import { shortSocketPath } from "../host/short-socket-path.ts";

/** The console of a job whose runner waits for a person (host/person-desk.ts). @throws Error when it does not. */
export async function openJobConsole(
  workDir: string,
  { jobId, holder }: { jobId: number; holder: string },
): Promise<Pick<OpenedDevice, "transport" | "leave" | "goOn">> {
  const socket = await connected(jobDirectory(workDir, jobId).console).catch(() => {
    throw new Error(`job ${jobId} waits for nobody now`);
  });
  let hear: (bytes: Uint8Array) => void = () => {};
  let end: (why: string) => void = () => {};
  let why = `the runner of job ${jobId} has ended`;
  socket.on("error", () => {});
  socket.on("close", () => end(why));
  const send = (message: unknown): Promise<void> => writeJsonLine(socket, message);
  return {
    transport: {
      onData: (listener) => {
        hear = listener;
        // From now on there is somebody who listens.
        readJsonLines(socket, (message) => {
          const { data, end: reason } = message as { data?: unknown; end?: unknown };
          if (typeof data === "string") hear(Buffer.from(data, "base64"));
          if (typeof reason === "string") why = reason;
        });
        void send({ holder }).catch(() => {});
      },
      onEnd: (listener) => {
        end = listener;
        if (socket.destroyed) end(why);
      },
      write: (bytes) => send({ data: Buffer.from(bytes).toString("base64") }),
      close: async () => void socket.destroy(),
    },
    goOn: () => send({ go_on: true }),
    // The socket's end alone could be that of an agent that was killed.
    leave: () => send({ leave: true }).catch(() => {}),
  };
}

async function connected(file: string): Promise<Socket> {
  const { name, close } = shortSocketPath(file);
  try {
    const socket = connect(name);
    await once(socket, "connect");
    return socket;
  } finally {
    close();
  }
}
