import { createInterface } from "node:readline";
import { HttpClient } from "../../worker/host/http-client.ts";
import { fetchUrl } from "../../worker/host/fetch-url.ts";

/** A question to the program, one line of JSON; the answer is one too: `{value}` or `{error, status}`. */
export type NetworkQuestion =
  | {
      readonly client: string;
      /** The URL asked, once or more; the last answer is told. */
      readonly url: string;
      readonly times?: number;
      readonly token?: string;
      readonly timeoutMs?: number;
      readonly env: Readonly<Record<string, string>>;
      /** This machine's clock, instead of the real one. */
      readonly now?: number;
    }
  | { readonly fetch: string; readonly headers?: Readonly<Record<string, string>> };

/** Run as a program, by whatever runtime a test wants: asks what standard input says with the worker's client. */
for await (const line of createInterface({ input: process.stdin })) {
  const value = await answer(JSON.parse(line) as NetworkQuestion).then(
    (got) => ({ value: got }),
    ({ message, status }: { message: string; status?: number }) => ({ error: message, status }),
  );
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function answer(question: NetworkQuestion): Promise<unknown> {
  if ("fetch" in question) {
    const { fetch: url, headers = {} } = question;
    const got = await fetchUrl(url, { method: "GET", headers, backoffMs: 1 });
    let text = "";
    for await (const part of got as AsyncIterable<Buffer>) text += part.toString();
    return `${got.statusCode} ${text}`;
  }
  const { client: base, url, times = 1, token, timeoutMs = 10_000, env, now } = question;
  const realNow = Date.now;
  if (now !== undefined) Date.now = () => now;
  let serverTime: number | undefined;
  const client = new HttpClient(base, { env, onServerTime: (ms) => (serverTime = ms) });
  try {
    let got: unknown;
    for (let n = 0; n < times; n++) {
      got = await client.request({ method: "GET", url, ...(token ? { token } : {}), timeoutMs });
    }
    return { got, hasServerTime: serverTime !== undefined };
  } finally {
    Date.now = realNow;
    client.close();
  }
}
