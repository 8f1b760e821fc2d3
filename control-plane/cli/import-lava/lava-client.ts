import { setTimeout as sleep } from "node:timers/promises";
import { ClientError } from "../client.ts";
import { fetchFault } from "../fetch-fault.ts";
import { printable } from "../printable.ts";
import { decodeAnswer, encodeCall, type XmlRpcValue } from "./xmlrpc.ts";

/** LAVA refused a call (API.md 4): 404 for what isn't there, 401 and 403 for what this user may not see. */
export class LavaFault extends ClientError {
  readonly code: number;

  constructor(code: number, message: string) {
    super(printable(message));
    this.code = code;
  }
}

export type LavaCall = (
  method: string,
  ...params: (string | boolean | null)[]
) => Promise<XmlRpcValue>;

export interface LavaConnection {
  /** With `/RPC2` and without who asks. */
  readonly url: string;
  readonly username: string;
  readonly token: string;
  readonly signal: AbortSignal;
  /** Before the second try; doubled before each that follows. */
  readonly pauseMs?: number;
}

const TIMEOUT_MS = 60_000;
const TRIES = 4;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Somebody between us and LAVA, or its restart. */
const PASSING = new Set([429, 502, 503, 504]);

/**
 * Calls LAVA's XML-RPC. For calls that only read: they are tried again when the connection fails. Throws LavaFault for what LAVA
 * refuses, ClientError when it can't be reached or is none.
 */
export const lavaClient =
  (connection: LavaConnection): LavaCall =>
  async (method, ...params) => {
    const { url, username, token } = connection;
    const text = await persistently(connection, url, {
      method: "POST",
      body: encodeCall(method, params),
      headers: {
        "content-type": "text/xml",
        authorization: `Basic ${Buffer.from(`${username}:${token}`).toString("base64")}`,
      },
    });
    return valueOf(url, text);
  };

/** Reads from LAVA's REST API, by a path below `/api/v0.2`: the JSON that it answers. Throws ClientError, with the status if there is one. */
export type LavaRead = (path: string) => Promise<unknown>;

/** The REST API of the LAVA of an XML-RPC connection (API.md 5). */
export const lavaReader =
  (connection: LavaConnection): LavaRead =>
  async (path) => {
    const url = `${connection.url.replace(/\/RPC2\/?$/, "")}/api/v0.2${path}`;
    const headers = { authorization: `Token ${connection.token}`, accept: "application/json" };
    const text = await persistently(connection, url, { headers });
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new ClientError(`what answers at ${url} is no LAVA: it is not JSON`);
    }
  };

type Asked = Pick<RequestInit, "method" | "body"> & { headers: Record<string, string> };

/** Tries again while that may help. */
async function persistently(
  connection: LavaConnection,
  url: string,
  asked: Asked,
): Promise<string> {
  for (let left = TRIES - 1, pauseMs = connection.pauseMs ?? 500; ; left--, pauseMs *= 2) {
    const text = await attempt(connection, url, asked, left === 0);
    if (text !== undefined) return text;
    await sleep(pauseMs, undefined, { signal: connection.signal });
  }
}

/** Undefined when trying again may help; on the last try it throws instead. */
async function attempt(
  { signal }: LavaConnection,
  url: string,
  asked: Asked,
  isLast: boolean,
): Promise<string | undefined> {
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(url, {
      ...asked,
      // The token goes nowhere but where the person said.
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    text = await boundedText(answer);
  } catch (error) {
    if (signal.aborted || error instanceof ClientError) throw error;
    const { why, lasts } = fetchFault(error);
    if (!isLast && !lasts) return undefined;
    throw new ClientError(`${url} can't be reached: ${why}`);
  }
  if (answer.ok) return text;
  if (PASSING.has(answer.status) && !isLast) return undefined;
  throw refusal(url, answer, text);
}

function refusal(url: string, { status, headers }: Response, text: string): ClientError {
  const location = headers.get("location");
  if (location !== null) {
    return new ClientError(
      printable(`${url} sends on to ${location}: give the address that answers, with --url`),
      status,
    );
  }
  const hint = status === 401 ? " (are user and token right, and of this LAVA?)" : "";
  const said = text.startsWith("<") ? "" : printable(text.slice(0, 200));
  return new ClientError(`${url}: HTTP ${status} ${said}${hint}`, status);
}

async function boundedText(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body ?? []) {
    length += (chunk as Uint8Array).length;
    if (length > MAX_ANSWER_BYTES) {
      throw new ClientError(`${answer.url}: an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString();
}

function valueOf(url: string, text: string): XmlRpcValue {
  let answer: ReturnType<typeof decodeAnswer>;
  try {
    answer = decodeAnswer(text);
  } catch (error) {
    throw new ClientError(
      `what answers at ${url} is no LAVA: ${printable((error as Error).message)}`,
    );
  }
  if ("fault" in answer) throw new LavaFault(answer.fault.code, answer.fault.message);
  return answer.value;
}
