import type { IncomingMessage } from "node:http";

/** A request as it came over the wire: nothing decoded that a signature covers. */
export interface AwsRequest {
  readonly method: string;
  /** As sent, before the question mark, escapes and all. */
  readonly path: string;
  /** Names and values decoded, in the order sent. */
  readonly query: ReadonlyArray<readonly [string, string]>;
  /** Lower-case name to the values of every header of that name. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Buffer;
}

export interface AwsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What AWS refuses: `code` as its error documents name it. `queryCode` where SQS's Query protocol names it otherwise. */
export class AwsRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly queryCode: string;

  constructor(status: number, code: string, message: string, queryCode = code) {
    super(message);
    this.name = "AwsRefusal";
    this.status = status;
    this.code = code;
    this.queryCode = queryCode;
  }
}

/** Reads the whole request. Throws AwsRefusal on a broken escape or a body over `maxBodyBytes`. */
export async function readRequest(
  incoming: IncomingMessage,
  maxBodyBytes: number,
): Promise<AwsRequest> {
  const url = incoming.url ?? "/";
  const mark = url.indexOf("?");
  const headers = new Map<string, string[]>();
  for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
    const name = incoming.rawHeaders[index]!.toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), incoming.rawHeaders[index + 1]!]);
  }
  return {
    method: incoming.method ?? "GET",
    path: mark === -1 ? url : url.slice(0, mark),
    query: mark === -1 ? [] : decodePairs(url.slice(mark + 1)),
    headers,
    body: await readBody(incoming, maxBodyBytes),
  };
}

/** The pairs of a query string or a form. */
export function decodePairs(text: string): Array<readonly [string, string]> {
  return text
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", ...value] = pair.split("=");
      return [unescapeText(name), unescapeText(value.join("="))] as const;
    });
}

export const headerOf = (request: AwsRequest, name: string): string | undefined =>
  request.headers.get(name)?.join(",");

export const queryOf = (request: AwsRequest, name: string): string | undefined =>
  request.query.find(([key]) => key === name)?.[1];

/** Decodes percent escapes. Throws AwsRefusal where they are broken. */
export function unescapeUri(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AwsRefusal(400, "InvalidURI", "Couldn't parse the specified URI.");
  }
}

const unescapeText = (text: string): string => unescapeUri(text.replaceAll("+", " "));

const XML_ESCAPES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\r": "&#xD;",
};

export const escapeXml = (text: string): string =>
  text.replaceAll(/[&<>"\r]/g, (character) => XML_ESCAPES[character]!);

async function readBody(incoming: IncomingMessage, maxBodyBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) {
      throw new AwsRefusal(
        400,
        "EntityTooLarge",
        `Your proposed upload exceeds the maximum allowed size, ${maxBodyBytes} bytes here.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
