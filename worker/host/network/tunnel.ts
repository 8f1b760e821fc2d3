import net from "node:net";
import tls from "node:tls";
import { networkHint } from "#protocol/network-words.ts";
import type { Proxy } from "./proxy.ts";
import { hostOf, portOf } from "./proxy.ts";

/** More than any proxy says before it lets us through. */
const MAX_HEAD_BYTES = 64 * 1024;

export interface TunnelTarget {
  readonly host: string;
  readonly port: number;
}

/**
 * A connection to a server through a proxy (CONNECT, RFC 9110 9.3.6), for TLS to be spoken on it. `track` gets each
 * socket as it is made, to end it when nobody waits any more. Throws when the proxy can't be reached or doesn't let us:
 * the message names the proxy, never its password.
 */
export async function openTunnel(
  proxy: Proxy,
  { host, port }: TunnelTarget,
  context: () => tls.SecureContext,
  track: (socket: net.Socket) => void,
): Promise<net.Socket> {
  const at = { host: hostOf(proxy.url), port: portOf(proxy.url) };
  const via = `proxy ${proxy.name} (${proxy.setting})`;
  const isSecure = proxy.url.protocol === "https:";
  const socket = isSecure
    ? tls.connect({
        ...at,
        ...(net.isIP(at.host) ? {} : { servername: at.host }),
        secureContext: context(),
      })
    : net.connect(at);
  track(socket);
  try {
    await once(socket, isSecure ? "secureConnect" : "connect");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const hint = networkHint(code);
    const why = hint === undefined ? (code ?? message) : `${code}, ${hint}`;
    throw new Error(`${via} can't be reached: ${why}`, { cause: error });
  }
  const authority = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
  const login = proxy.authorization ? `Proxy-Authorization: ${proxy.authorization}\r\n` : "";
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n`);
  const status = await readHead(socket, via);
  if (status.code >= 200 && status.code < 300) return socket;
  socket.destroy();
  throw new Error(refusal(proxy, status, authority));
}

/** What a proxy's answer means, and what to do. */
export function refusal(
  { name, setting, user }: Proxy,
  { code, reason }: { code: number; reason: string },
  target: string,
): string {
  const via = `proxy ${name} (${setting})`;
  if (code !== 407)
    return `${via} doesn't let us through to ${target}: ${code} ${reason}`.trimEnd();
  return user === undefined
    ? `${via} wants a user and a password (407): write them into ${setting}, http://USER:PASSWORD@HOST:PORT, other characters than letters and digits as %XX`
    : `${via} refuses user ${user} with the password in ${setting} (407); only basic authentication is known here, and special characters are written as %XX`;
}

const once = (socket: net.Socket, event: string): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed")));
    socket.once(event, resolve);
  });

/** The status of the proxy's answer; what follows its head stays in the socket. */
async function readHead(
  socket: net.Socket,
  via: string,
): Promise<{ code: number; reason: string }> {
  let head = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      stop();
      socket.destroy();
      reject(new Error(`${via}: ${reason}`));
    };
    const onData = (data: Buffer): void => {
      head = Buffer.concat([head, data]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) {
        if (head.length > MAX_HEAD_BYTES) fail("its answer to CONNECT doesn't end");
        return;
      }
      const [, code, reason = ""] =
        /^HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?/.exec(head.toString("latin1")) ?? [];
      if (code === undefined) return fail("what answers there is no HTTP proxy");
      stop();
      socket.pause();
      // A server that speaks first has begun already.
      if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
      resolve({ code: Number(code), reason: reason.replace(/[^\x20-\x7e]/g, "").slice(0, 200) });
    };
    // Also when it is ended from our side: nobody waits any more.
    const onEnd = (): void => fail("it closed the connection without an answer to CONNECT");
    const onError = (error: NodeJS.ErrnoException): void => fail(error.code ?? error.message);
    const stop = (): void => {
      socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onError);
    };
    socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onError);
  });
}
