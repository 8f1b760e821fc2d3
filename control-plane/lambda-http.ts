import type { Hono } from "hono";
import type { Deps } from "./domain/deps.ts";
import { createApp } from "./http/app.ts";
import type { Connection } from "./http/client-address.ts";
import type { Env } from "./http/route.ts";
import {
  answerOf,
  problemAnswer,
  requestOf,
  type HttpAnswer,
  type HttpEvent,
  type Invocation,
} from "./lambda-event.ts";
import { isLavaPath } from "./lava/lava-path.ts";
import { lambdaLab } from "./lambda-lab.ts";
import { log, logFor } from "./lambda-log.ts";
import { Unavailable } from "./ports/unavailable.ts";

/** API Gateway gives up after 30 s; whoever waits is answered before. */
const HOLD_MS = 25_000;
/** For the answer itself, when the function's own time is shorter. */
const ANSWER_MS = 2_000;

let app: Promise<Hono<Env>> | undefined;
// While the environment starts, which has more processor than its calls: the connection to the table, and Node's own
// Request and Response, which it reads when they are first used. A failure is the first call's to tell.
const opening = theApp().catch(() => {});
void new Response(new Request("https://pumice").url);
await opening;

/** The API and the pages, for API Gateway's HTTP API and for function URLs. */
export async function handler(event: HttpEvent, invocation: Invocation): Promise<HttpAnswer> {
  logFor(invocation.awsRequestId);
  const started = performance.now();
  const waiting = new AbortController();
  const holdMs = Math.min(HOLD_MS, invocation.getRemainingTimeInMillis() - ANSWER_MS);
  const holding = setTimeout(() => waiting.abort(), holdMs);
  const answer = await answerTo(event, waiting.signal);
  clearTimeout(holding);
  log("debug", "request", {
    method: event.requestContext.http.method,
    path: event.rawPath,
    status: answer.statusCode,
    ms: Math.round(performance.now() - started),
  });
  return answer;
}

async function answerTo(event: HttpEvent, signal: AbortSignal): Promise<HttpAnswer> {
  let request: Request;
  try {
    request = requestOf(event, signal);
  } catch {
    return problemAnswer(400, { code: "invalid", message: "this is no HTTP request that we know" });
  }
  try {
    const connection: Connection = {
      address: event.requestContext.http.sourceIp,
      trustedProxies: Number(process.env["PUMICE_TRUSTED_PROXIES"] || 0),
    };
    return await answerOf(await (await theApp()).fetch(request, connection));
  } catch (error) {
    log("error", "request failed", { error: error instanceof Error ? error.stack : String(error) });
    return error instanceof Unavailable
      ? problemAnswer(503, { code: "unavailable", message: "the lab's table is busy; try again" })
      : problemAnswer(500, {
          code: "internal",
          message: "an error of the control plane; see its log",
        });
  }
}

/** Opened once; after a failure the next request tries again. */
function theApp(): Promise<Hono<Env>> {
  app ??= lambdaLab()
    .then(composeApp)
    .catch((error: unknown) => {
      app = undefined;
      throw error;
    });
  return app;
}

/** Everything that answers under one address. The pages are loaded when somebody looks at one, LAVA's surfaces when asked. */
function composeApp(deps: Deps): Hono<Env> {
  const all = createApp(deps, async (error, c) => {
    const { errorResponse } = await import("./ui/error-response.tsx");
    return errorResponse(deps, error, c);
  });
  let pages: Promise<Hono<Env>> | undefined;
  let lava: Promise<Hono<Env>> | undefined;
  all.all("*", async (c, next) => {
    if (!isLavaPath(c.req.path)) return next();
    lava ??= import("./lava/lava-app.ts").then(({ lavaApp }) => lavaApp(deps));
    return (await lava).fetch(c.req.raw, c.env);
  });
  all.all("*", async (c) => {
    pages ??= import("./ui/app.tsx").then(({ uiApp }) => uiApp(deps));
    return (await pages).fetch(c.req.raw, c.env);
  });
  return all;
}
