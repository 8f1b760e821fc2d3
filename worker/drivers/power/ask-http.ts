import { HttpClient, HttpError } from "../../host/http-client.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { digestAnswer } from "./digest-answer.ts";
import { redacted, type Outlet, type PowerIo } from "./outlet.ts";

/** A switch on the same network that needs longer than this has lost its network. */
const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * The text that a switch answers to a GET of `pathAndQuery`, below the outlet's address. A user and password in that
 * address are sent as the switch wants them: basic authentication, or digest.
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
  const login = { user: decodeURIComponent(username), password: decodeURIComponent(password) };
  const client = new HttpClient(base.href);
  const get = (authorization?: string) =>
    client.request({
      method: "GET",
      url: pathAndQuery,
      headers: authorization === undefined ? {} : { authorization },
      timeoutMs: ANSWER_MS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
      answer: "text",
      signal,
    });
  say(`GET ${redacted(base.href.replace(/\/$/, "") + pathAndQuery)}`);
  try {
    const basic = `Basic ${Buffer.from(`${login.user}:${login.password}`).toString("base64")}`;
    const answer = await get(username === "" ? undefined : basic).catch((error: unknown) => {
      const challenge = error instanceof HttpError ? error.challenge : undefined;
      if (username === "" || challenge === undefined) throw error;
      const digest = digestAnswer(challenge, "GET", pathAndQuery, login);
      if (digest === undefined) throw error;
      return get(digest);
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
