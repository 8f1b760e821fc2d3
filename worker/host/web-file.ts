import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { JobFailure } from "../pipeline/job-failure.ts";
import type { Source } from "./download-source.ts";
import type { DownloadRules } from "./download-rules.ts";
import { fetchUrl } from "./fetch-url.ts";

/** By what a server tells one state of a file from another, as it wrote it. */
export interface Validator {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

export interface WebRequest {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly backoffMs?: number | undefined;
  readonly rules?: DownloadRules | undefined;
  /** What is here already, of a file with this strong validator: the answer may begin behind it. */
  readonly from?: { readonly bytes: number; readonly validator: Validator } | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

export interface WebFile {
  /** Where `chunks` begins: 0, or `from.bytes`. */
  readonly start: number;
  /** Of the whole file. */
  readonly sizeBytes: number | undefined;
  readonly validator: Validator;
  /** Whether a later request may go on in the midst of the file. */
  readonly canResume: boolean;
  readonly headers: IncomingHttpHeaders;
  /** Goes on by a range when the connection breaks; throws when it can't, or at the fifth break without a byte between. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Ends the connection of a file that isn't read. */
  readonly close: () => void;
}

const MAX_BARREN_TRIES = 5;

/**
 * A file of a web server.
 *
 * @throws JobFailure Infrastructure for any other answer than the file; the signal's reason.
 */
export async function openWebFile(request: WebRequest): Promise<WebFile> {
  return webFile(request, await ask(request, rangeBehind(request.from)));
}

/** The same, or undefined when the file is still as `known` says. */
export async function openIfChanged(
  request: WebRequest,
  known: Validator,
): Promise<WebFile | undefined> {
  const answer = await ask(request, revalidation(known));
  if (answer.statusCode !== 304) return webFile(request, answer);
  answer.destroy();
  return undefined;
}

/** The bytes of a web server as they come, kept nowhere. */
export const fromWeb = ({ chunks, sizeBytes, close }: WebFile): Source => ({
  chunks,
  sizeBytes,
  kept: async () => {},
  failed: async () => {
    close();
    return false;
  },
});

async function webFile(request: WebRequest, answer: IncomingMessage): Promise<WebFile> {
  const { from } = request;
  const { statusCode = 0, headers } = answer;
  if (from && (statusCode === 416 || (statusCode === 206 && !continues(answer, from)))) {
    answer.destroy();
    return openWebFile({ ...request, from: undefined });
  }
  if (statusCode !== 200 && !(from && statusCode === 206)) {
    answer.destroy();
    throw new JobFailure("Infrastructure", `Unable to download '${request.url}': ${statusCode}`);
  }
  const start = statusCode === 206 ? (from?.bytes ?? 0) : 0;
  const length = headers["content-length"];
  const sizeBytes = length === undefined ? undefined : start + Number(length);
  // A part's answer may leave out what the first one said.
  const isRest = from !== undefined && statusCode === 206;
  const validator = { ...(isRest ? from.validator : {}), ...validatorOf(headers) };
  const canResume = sizeBytes !== undefined && (isRest || isStrong(validator, headers));
  const state = { answer, start, sizeBytes, canResume, validator };
  const chunks = wholeBody(request, state);
  return {
    start,
    sizeBytes,
    validator,
    canResume,
    headers,
    chunks,
    close: () => void answer.destroy(),
  };
}

const ask = (request: WebRequest, conditions: Record<string, string>): Promise<IncomingMessage> =>
  fetchUrl(request.url, {
    method: "GET",
    headers: request.headers ?? {},
    conditions,
    signal: request.signal,
    backoffMs: request.backoffMs,
    rules: request.rules,
  });

async function* wholeBody(
  request: WebRequest,
  file: Pick<WebFile, "start" | "sizeBytes" | "canResume" | "validator"> & {
    answer: IncomingMessage;
  },
): AsyncGenerator<Buffer> {
  const { sizeBytes, validator } = file;
  let { answer, start: at } = file;
  for (let barren = 0; ; barren++) {
    let broken: unknown;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        barren = 0;
        at += chunk.length;
        yield chunk;
      }
    } catch (error) {
      request.signal?.throwIfAborted();
      broken = error;
    } finally {
      answer.destroy();
    }
    if (!broken && (sizeBytes === undefined || at === sizeBytes)) return;
    broken ??= new Error(`it ended after ${at} of ${sizeBytes} bytes`);
    if (!file.canResume || at > (sizeBytes ?? 0) || barren >= MAX_BARREN_TRIES) throw broken;
    const from = { bytes: at, validator };
    answer = await ask(request, rangeBehind(from));
    if (answer.statusCode !== 206 || !continues(answer, from)) {
      answer.destroy();
      throw broken;
    }
    request.onNote?.(`the connection broke: going on at ${at} of ${sizeBytes} bytes`);
  }
}

/** Whether a part of a file is the rest of what is here, of the same state of the file. */
function continues(
  { headers }: IncomingMessage,
  from: { readonly bytes: number; readonly validator: Validator },
): boolean {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (!range || Number(range[1]) !== from.bytes) return false;
  const [, , last, total] = range;
  if (total !== "*" && Number(last) + 1 !== Number(total)) return false;
  const { etag, lastModified } = from.validator;
  if (etag !== undefined) return headers.etag === etag;
  // Not every server that knows ranges knows If-Range.
  const said = headers["last-modified"];
  return said === undefined || said === lastModified;
}

const revalidation = ({ etag, lastModified }: Validator): Record<string, string> => ({
  ...(etag === undefined ? {} : { "if-none-match": etag }),
  ...(lastModified === undefined ? {} : { "if-modified-since": lastModified }),
});

function rangeBehind(from: WebRequest["from"]): Record<string, string> {
  if (!from) return {};
  const validator = from.validator.etag ?? from.validator.lastModified;
  if (validator === undefined) return {};
  return { range: `bytes=${from.bytes}-`, "if-range": validator };
}

/**
 * What a server says of a file's state. A date as young as the answer says nothing: the file may change within the
 * same second.
 */
function validatorOf(headers: IncomingHttpHeaders): Validator {
  const { etag, "last-modified": lastModified } = headers;
  const isTag = etag !== undefined && /^(W\/)?"[^"]*"$/.test(etag) && etag.length < 1000;
  return {
    ...(isTag ? { etag } : {}),
    ...(ageSeconds(headers) >= 2 ? { lastModified } : {}),
  };
}

/** A validator that tells bytes apart: no weak tag, no young date (RFC 9110 8.8.1, 8.8.2.2). */
function isStrong({ etag }: Validator, headers: IncomingHttpHeaders): boolean {
  if (headers["accept-ranges"] === "none") return false;
  return etag === undefined ? ageSeconds(headers) >= 60 : !etag.startsWith("W/");
}

const ageSeconds = (headers: IncomingHttpHeaders): number =>
  (Date.parse(headers.date ?? "") - Date.parse(headers["last-modified"] ?? "")) / 1000;
