import { createAdaptorServer, type Http2Bindings, type HttpBindings } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Hono } from "hono";
import { announcingTable, NOTICES_PASS } from "./domain/announcing-table.ts";
import { DEFAULT_SETTINGS, type Deps, type Settings } from "./domain/deps.ts";
import { deviceTypeNames } from "./domain/device-types.ts";
import { deliverNotices } from "./domain/notices/deliver.ts";
import { firstSignInCode } from "./domain/first-sign-in.ts";
import { schedulePass } from "./domain/schedule.ts";
import { firstAdminToken, isSetUp, setUpLab } from "./domain/set-up-lab.ts";
import { tick, type Rounds } from "./domain/tick.ts";
import { openEngine, type EmbeddedEngine } from "./engines/embedded/engine.ts";
import { readPrivateFile, writePrivateFile } from "./engines/embedded/private-file.ts";
import { outbound as realOutbound } from "./node-outbound.ts";
import { system as realSystem } from "./node-system.ts";
import { planner } from "./planner.ts";
import { signInSecretIn } from "./sign-in-secret.ts";
import { createApp } from "./http/app.ts";
import type { Env } from "./http/route.ts";
import { SIGN_IN_PATH } from "./http/session.ts";
import { isWebSocket, serveEventSockets } from "./lava/events/event-sockets.ts";
import { serveCoordinator, type Coordinator } from "./lava/coordinator/serve-coordinator.ts";
import { lavaApp } from "./lava/lava-app.ts";
import type { System } from "./ports/system.ts";
import { stockTemplates } from "./stock-templates.ts";
import { makeTlsRefresh, readTlsPair, type TlsFiles } from "./tls-files.ts";
import { uiApp } from "./ui/app.tsx";
import { errorResponse } from "./ui/error-response.tsx";

const TICK_MS = 10_000;
const CLOSE_MS = 5_000;
/** Connections that wait to be taken, as many as Linux holds: Node.js takes one a turn, and whoever finds no place tries again after a second, 3, 7. */
const BACKLOG = 4096;
/** Of a device type: a pass gives one device after the other and waits for the disk each time, and meanwhile others give those that are left. */
const PASSES_AT_ONCE = 8;

export interface Serving {
  /** `http://HOST:PORT`, or `https://`, with the port that was taken. */
  readonly url: string;
  /** As long as nobody has signed in: a link that signs a browser in, once, within ten minutes. It is a secret. */
  firstSignInLink(): Promise<string | undefined>;
  /** `HOST:PORT` of the coordinator, where there is one. */
  readonly coordinator?: string | undefined;
  /** Answers what is waiting, then stops. */
  close(): Promise<void>;
}

/**
 * Runs a lab's control plane on the embedded engine: `pumice serve`. `listen` is HOST:PORT, port 0 takes a free
 * one. `dataDir` is made when it is new, and then gets `admin-token`. Throws when another process serves it.
 */
export async function serve({
  dataDir,
  listen,
  retentionDays = 0,
  tls,
  trustedProxies = 0,
  archive = false,
  coordinator,
  env = process.env,
}: {
  dataDir: string;
  listen: string;
  /** Days that jobs are kept after their end; 0: for ever. */
  retentionDays?: number;
  /** Serves https:// by these, and again by them when they are renewed. */
  tls?: TlsFiles | undefined;
  /** Proxies of one's own in front of it, of which each adds to `X-Forwarded-For`. */
  trustedProxies?: number;
  /** Only to be read: no jobs, no workers, no changes. */
  archive?: boolean;
  /** HOST:PORT where it is a lava-coordinator for the runners of stock workers. */
  coordinator?: string | undefined;
  /** Has the secrets of sign-in providers. */
  env?: NodeJS.ProcessEnv;
}): Promise<Serving> {
  const { host, port } = parseListen("--listen", listen);
  const meeting =
    coordinator === undefined || archive ? undefined : parseListen("--coordinator", coordinator);
  const pair = tls && readTlsPair(tls);
  const lab = await openLab({
    dataDir,
    settings: {
      retentionDays,
      archive,
      coordinator: meeting !== undefined,
      signInSecret: (provider) => signInSecretIn(env, provider),
    },
  });
  const inHand = new Set<Promise<Response>>();
  const handle = async (
    request: Request,
    { incoming }: HttpBindings | Http2Bindings,
  ): Promise<Response> => {
    const address = incoming.socket.remoteAddress ?? "unknown";
    const answer = Promise.resolve(lab.app.fetch(request, { address, trustedProxies }));
    inHand.add(answer);
    return answer.finally(() => inHand.delete(answer));
  };
  const upgrades = { shouldUpgradeCallback: isWebSocket };
  const server = createAdaptorServer(
    pair
      ? {
          fetch: handle,
          createServer: https.createServer,
          serverOptions: { ...pair, ...upgrades },
        }
      : { fetch: handle, serverOptions: upgrades },
  ) as Server;
  const refreshTls =
    tls &&
    pair &&
    makeTlsRefresh(server as https.Server, tls, pair, (message, context) =>
      realSystem.log(message, context),
    );
  // Longer than a long poll's pause, so that no request meets a connection that is just being closed.
  server.keepAliveTimeout = 75_000;
  let groups: Coordinator | undefined;
  try {
    groups = meeting && (await serveCoordinator(lab.deps, meeting));
    server.listen({ port, host, backlog: BACKLOG });
    await once(server, "listening");
  } catch (error) {
    await groups?.close();
    await lab.close();
    throw error;
  }
  const events = archive ? undefined : serveEventSockets(server, lab.deps, { trustedProxies });
  const rounds: Rounds = {};
  const upSince = realSystem.now();
  const ticking = setInterval(() => {
    refreshTls?.();
    if (archive) return;
    tick(lab.deps, rounds, upSince)
      .then(() => lab.removeExpired())
      .catch((error: unknown) => realSystem.log("tick failed", { error: String(error) }));
  }, TICK_MS);
  let closing: Promise<void> | undefined;
  const stopAll = async () => {
    await groups?.close();
    await stop(lab, server, ticking, inHand);
  };
  const url = urlOf(pair ? "https" : "http", server.address() as AddressInfo);
  return {
    url,
    async firstSignInLink() {
      const code = archive ? undefined : await firstSignInCode(lab.deps);
      return code === undefined ? undefined : `${url}${SIGN_IN_PATH}?code=${code}`;
    },
    coordinator: groups?.address,
    close() {
      events?.close();
      return (closing ??= stopAll());
    },
  };
}

export interface Lab {
  readonly deps: Deps;
  readonly engine: EmbeddedEngine;
  /** API, sign-in, pages and blobs. */
  readonly app: Hono<Env>;
  /** Deletes from the disk what has expired; nobody sees it any more as it is. */
  removeExpired(): Promise<void>;
  close(): Promise<void>;
}

/** A lab without its listener: the data folder, the rules over it, and scheduling. The clock may be another. */
export async function openLab({
  dataDir,
  system = realSystem,
  settings = {},
}: {
  dataDir: string;
  system?: System;
  settings?: Partial<Settings>;
}): Promise<Lab> {
  const engine = openEngine(dataDir, system);
  const { table, blobs, signals, secret } = engine;
  const deps: Deps = {
    table: announcingTable(table, signals, { eager: true }),
    blobs,
    signals,
    system,
    outbound: realOutbound,
    planner,
    templates: stockTemplates(),
    settings: { ...DEFAULT_SETTINGS, secret, engine: "embedded", ...settings },
  };
  await makeAdminToken(deps, path.join(dataDir, "admin-token"));
  if (!settings.archive) await servePasses(deps, signals);
  return {
    deps,
    engine,
    app: composeApp(deps, engine),
    async removeExpired() {
      // Blobs first: a job that is still there is found again by the next sweep.
      for (const { partition, sort } of table.expiredKeys()) {
        if (sort === "job") await blobs.deletePrefix(`${partition.replace("job#", "jobs/")}/`);
      }
      table.removeExpired();
    },
    async close() {
      signals.close();
      await signals.passesDone();
      engine.close();
    },
  };
}

async function servePasses(deps: Deps, signals: EmbeddedEngine["signals"]): Promise<void> {
  const { system } = deps;
  signals.servePasses(
    (what) => (what === NOTICES_PASS ? deliverNotices(deps) : schedulePass(deps, what)),
    (error) => system.log("scheduling failed", { error: String(error) }),
    (what) => (what === NOTICES_PASS ? 1 : PASSES_AT_ONCE),
  );
  // What asked for a pass may have been lost with the process before.
  for (const deviceType of await deviceTypeNames(deps)) await signals.requestPass(deviceType);
}

/** Everything that answers under one address. */
function composeApp(deps: Deps, { blobs }: EmbeddedEngine): Hono<Env> {
  const app = createApp(deps, (error, c) => errorResponse(deps, error, c));
  app.all("/blobs/*", (c) => blobs.serve(c.req.raw));
  app.route("/", lavaApp(deps));
  app.route("/", uiApp(deps));
  return app;
}

/** The file is written first: a crash in between leaves a file whose token the next start makes valid. */
async function makeAdminToken(deps: Deps, file: string): Promise<void> {
  if (await isSetUp(deps)) return;
  let token = readPrivateFile(file);
  if (token === undefined) {
    token = firstAdminToken(deps);
    writePrivateFile(file, `${token}\n`);
  }
  await setUpLab(deps, token);
}

async function stop(
  lab: Lab,
  server: Server,
  ticking: NodeJS.Timeout,
  inHand: ReadonlySet<Promise<Response>>,
): Promise<void> {
  clearInterval(ticking);
  const closed = once(server, "close");
  server.close();
  lab.engine.signals.close();
  const sweeping = setInterval(() => server.closeIdleConnections(), 20);
  const deadline = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  await closed;
  clearInterval(sweeping);
  clearTimeout(deadline);
  // A client may have gone while its request is still being worked on.
  await Promise.allSettled(inHand);
  await lab.close();
}

function parseListen(option: string, listen: string): { host: string; port: number } {
  const found = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(listen);
  const port = Number(found?.[2]);
  if (!found?.[1] || port > 65535) {
    throw new Error(`${option}: expected HOST:PORT such as 127.0.0.1:8400, not ${listen}`);
  }
  return { host: found[1].replace(/^\[|\]$/g, ""), port };
}

function urlOf(scheme: string, { address, family, port }: AddressInfo): string {
  if (address === "0.0.0.0" || address === "::") return `${scheme}://127.0.0.1:${port}`;
  return `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
