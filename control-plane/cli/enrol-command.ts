import type { Enrolment } from "#protocol/enrol.ts";
import {
  argumentsOf,
  readNamedFile,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { pinOf, seeServer } from "./server-pin.ts";

export const enrolCommand: Command = {
  usage: "workers enrol NAME",
  about: "print the line that makes a board this worker, once",
  options: {
    add: { type: "boolean" },
    description: { type: "string" },
    expires: { type: "string" },
    server: { type: "string" },
    certificate: { type: "string" },
    pin: { type: "boolean" },
    "no-pin": { type: "boolean" },
  },
  help: [
    "--add               make the worker, which is new",
    "--description TEXT  with --add",
    "--expires TIME      how long the code is good: 30m, 1h, 2d; default 1h",
    "--server URL        how the board reaches the control plane, if not as this program does",
    "--certificate FILE  the server's certificate (PEM), when it can't be seen from here",
    "--pin, --no-pin     tie the board to the server's key; default: when no public authority vouches for it",
  ],
  run: enrolWorker,
};

async function enrolWorker(context: Context): Promise<number> {
  const [name = ""] = argumentsOf(context, "NAME");
  const { values, terminal } = context;
  const client = context.client();
  const url = serverOf(textOf(values, "server") ?? client.url);
  const expires_seconds = secondsOf(textOf(values, "expires") ?? "1h");
  // Before the code is made: it would be lost, and the one before would be worth nothing.
  const pin = await pinFor(context, url);
  const description = textOf(values, "description");
  const { code, expires } = await client.json<Enrolment>(
    "POST",
    `/workers/${encodeURIComponent(name)}/enrolment`,
    {
      add: values["add"] === true,
      expires_seconds,
      ...(description === undefined ? {} : { description }),
    },
  );
  const until = `${expires.slice(0, 16).replace("T", " ")} UTC`;
  terminal.say(`Run this on the board, once, until ${until}; as root when it is installed there:`);
  terminal.out(
    `pumice-worker enrol ${url.href.replace(/\/$/, "")} ${code}${pin === undefined ? "" : `:${pin}`}`,
  );
  if (isLoopback(url)) {
    terminal.say(
      `A board can't reach ${url.origin}: give the lab's own address by --server, unless the worker runs on this machine.`,
    );
  } else if (url.protocol === "http:") {
    terminal.say("Without https:// whoever listens on the way can take the worker's place.");
  }
  return 0;
}

function serverOf(text: string): URL {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return new URL(text);
  throw new UsageError(`--server: ${text} is no http:// or https:// address`);
}

/** What the board is to compare the server's key with; undefined when public authorities do that. */
async function pinFor({ values, signal }: Context, url: URL): Promise<string | undefined> {
  const file = textOf(values, "certificate");
  if (values["no-pin"] === true) {
    if (file === undefined && values["pin"] !== true) return undefined;
    throw new UsageError("--no-pin says the opposite of --pin and --certificate");
  }
  if (file !== undefined) {
    try {
      return pinOf(readNamedFile(file));
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`--certificate: ${file} is no certificate in PEM`);
    }
  }
  if (url.protocol !== "https:") {
    if (values["pin"] === true) throw new UsageError(`--pin: ${url.href} has no certificate`);
    return undefined;
  }
  const seen = await seeServer(url, signal).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `the certificate of ${url.host} can't be seen from here (${why}): give --certificate FILE, or --no-pin`,
    );
  });
  // Somebody in between could have shown one of theirs.
  if (!seen.isTrusted) {
    throw new UsageError(
      `this machine doesn't trust the certificate of ${url.host}: give it by --certificate FILE, or trust it by NODE_EXTRA_CA_CERTS=FILE`,
    );
  }
  return values["pin"] === true || !seen.isPublic ? seen.pin : undefined;
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

function secondsOf(text: string): number {
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (seconds >= 60 && seconds <= 7 * 86_400) return seconds;
  throw new UsageError(`--expires: expected 1m to 7d, such as 30m or 2h, not ${text}`);
}

const isLoopback = ({ hostname }: URL): boolean =>
  /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
