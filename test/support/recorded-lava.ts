import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { text as textOf } from "node:stream/consumers";

export interface RecordedLava {
  readonly url: string;
  /** `method argument`, in the order in which they were asked. */
  readonly calls: string[];
  /** Answers with this instead, by `method argument`. */
  readonly answers: Map<string, string | ((response: ServerResponse) => void)>;
  close(): Promise<void>;
}

/** User and token that it takes. */
export const LAVA_USER = "admin";
export const LAVA_TOKEN = "a-token-of-lava";

/**
 * Plays what a LAVA 2023.01 answered to XML-RPC calls (test/cli/import-lava/recorded-lava.json), on a port of
 * loopback. Close it after the test.
 */
export async function recordedLava(): Promise<RecordedLava> {
  const file = path.join(import.meta.dirname, "../cli/import-lava/recorded-lava.json");
  const recorded = new Map(
    Object.entries(JSON.parse(readFileSync(file, "utf8")) as Record<string, string>),
  );
  const answers: RecordedLava["answers"] = new Map();
  const calls: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await textOf(request);
    const rest = /^\/api\/v0\.2(\/.*)\?/.exec(request.url ?? "")?.[1];
    if (rest !== undefined) return answerRest(rest, request, response);
    const wanted = `Basic ${Buffer.from(`${LAVA_USER}:${LAVA_TOKEN}`).toString("base64")}`;
    if (request.headers.authorization !== wanted) {
      response.writeHead(401).end("Invalid token");
      return;
    }
    const [, method = ""] = /<methodName>(.*?)<\/methodName>/.exec(body) ?? [];
    const [, argument] = /<string>(.*?)<\/string>/.exec(body) ?? [];
    const call = argument === undefined ? method : `${method} ${argument}`;
    calls.push(call);
    const given = answers.get(call) ?? recorded.get(call);
    if (typeof given === "function") return given(response);
    response.setHeader("content-type", "application/xml");
    response.end(given ?? aFault(-32601, `No such method: '${call}'`));
  };
  /** Its REST API, which had no permissions and no owners. */
  function answerRest(place: string, request: IncomingMessage, response: ServerResponse): void {
    if (request.headers.authorization !== `Token ${LAVA_TOKEN}`) {
      response.writeHead(401).end('{"detail":"Invalid token."}');
      return;
    }
    calls.push(`GET ${place}`);
    const given = answers.get(`GET ${place}`);
    if (typeof given === "function") return given(response);
    response.setHeader("content-type", "application/json");
    response.end(given ?? '{"count":0,"next":null,"previous":null,"results":[]}');
  }
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    answers,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** An answer of one value, which is XML-RPC already. */
export const anAnswer = (value: string): string =>
  `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>${value}</value>\n</param>\n</params>\n</methodResponse>\n`;

export const aFile = (text: string): string =>
  anAnswer(`<base64>\n${Buffer.from(text).toString("base64")}</base64>`);

export const aFault = (code: number, message: string): string =>
  `<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n<value><int>${code}</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>${message}</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n`;
