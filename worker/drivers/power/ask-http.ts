import { HttpClient } from "../../host/http-client.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { redacted, type Outlet, type PowerIo } from "./outlet.ts";

/** A switch on the same network that needs longer than this has lost its network. */
const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * The text that a switch answers to a GET of `pathAndQuery`, below the outlet's address. A user and password in that
 * address are sent as basic authentication.
 *
 * @throws HttpError for any answer but a success, and when none comes in 10 s; the signal's reason.
 */
export async function askHttp(
  { address }: Outlet,
  pathAndQuery: string,
  { signal, say }: PowerIo,
): Promise<string> {
  const base = new URL(address);
  const { username, password } = base;
  base.username = "";
  base.password = "";
  base.search = "";
  const client = new HttpClient(base.href);
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(login).toString("base64")}`;
  say(`GET ${redacted(base.href.replace(/\/$/, "") + pathAndQuery)}`);
  try {
    const answer = await client.request({
      method: "GET",
      url: pathAndQuery,
      headers: username === "" ? {} : { authorization },
      timeoutMs: ANSWER_MS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
      answer: "text",
      signal,
    });
    const text = String(answer).trim();
    say(text.slice(0, 500));
    return text;
  } finally {
    client.close();
  }
}

/** As `askHttp`, for a switch that answers with a JSON mapping. @throws JobFailure Infrastructure when it is none. */
export async function askJson(
  outlet: Outlet,
  pathAndQuery: string,
  io: PowerIo,
): Promise<Record<string, unknown>> {
  const text = await askHttp(outlet, pathAndQuery, io);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  const message = `${redacted(outlet.address)}: expected JSON, got ${JSON.stringify(text.slice(0, 100))}: is this the right kind of switch?`;
  throw new JobFailure("Infrastructure", message);
}
