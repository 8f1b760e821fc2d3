import { Hono } from "hono";
import type { Context } from "hono";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { ANONYMOUS } from "../../domain/principal.ts";
import { readText } from "../../http/read-body.ts";
import type { Env } from "../../http/route.ts";
import { Unavailable } from "../../ports/unavailable.ts";
import { lavaPrincipal } from "../lava-principal.ts";
import { Fault, faultOf, INTERNAL } from "./fault.ts";
import type { Call } from "./method.ts";
import type { MethodCall } from "./read-call.ts";
import { MAX_ANONYMOUS_BYTES, MAX_REQUEST_BYTES, type XmlRpcValue } from "./xml-value.ts";

/** Loaded when somebody calls: the parser of XML is of no use to others. */
const methods = () => import("./methods.ts");
const calls = () => import("./read-call.ts");
const answers = () => import("./write-response.ts");

const PATHS = ["/RPC2", "/RPC2/"];
const HELP = "/api/help/";

/** LAVA's XML-RPC (API.md 4): a call answers 200 with its value or a fault; only who calls is refused by the status. */
export function xmlRpcApp(deps: Deps): Hono<Env> {
  const app = new Hono<Env>();
  app.on("POST", PATHS, async (c) => {
    c.header("cache-control", "no-store");
    let principal;
    try {
      principal = await lavaPrincipal(deps, c);
    } catch (error) {
      return refusal(c, error);
    }
    const answer = await answerTo({ deps, principal }, c.req.raw);
    if (answer === undefined) return c.redirect(HELP, 302);
    return c.body(answer, 200, { "content-type": "application/xml" });
  });
  app.on("GET", PATHS, (c) => c.redirect(HELP, 302));
  app.get(HELP, async (c) => {
    const { METHODS } = await methods();
    const told = [...METHODS.values()].map(({ name, signature, about }) => {
      return `${name}${signature}\n    ${about}\n`;
    });
    return c.text(`The XML-RPC methods at /RPC2, for LAVA's clients.\n\n${told.join("\n")}`);
  });
  return app;
}

/** Undefined for a request with nothing in it, which is somebody who looks what there is. */
async function answerTo(call: Call, request: Request): Promise<string | undefined> {
  const { responseXml, faultXml } = await answers();
  try {
    const most = call.principal.kind === ANONYMOUS ? MAX_ANONYMOUS_BYTES : MAX_REQUEST_BYTES;
    const body = await readText(request, most);
    if (body === "") return undefined;
    const { readCall } = await calls();
    return responseXml(await run(call, readCall(body)));
  } catch (error) {
    const { code, message } = toldFault(call.deps, error);
    return faultXml(code, message);
  }
}

async function run(call: Call, { name, params }: MethodCall): Promise<XmlRpcValue> {
  const { callMethod } = await methods();
  return callMethod(call, name, params, (error) => toldFault(call.deps, error));
}

/** What a caller is told of what went wrong: of a fault of ours only where the log has it. */
function toldFault(deps: Deps, error: unknown): Fault {
  if (error instanceof Unavailable) {
    return new Fault(503, "the lab's storage is busy; try again in a moment");
  }
  const fault = faultOf(error);
  if (fault) return fault;
  const request_id = deps.system.id();
  const told = error instanceof Error ? error.stack : String(error);
  deps.system.log("request failed", { request_id, path: "/RPC2", error: told });
  return new Fault(INTERNAL, `an error of the control plane; its log has more under ${request_id}`);
}

/** LAVA's: a token that is not valid is 401, a header that is none 400, both in plain text. */
function refusal(c: Context<Env>, error: unknown): Response {
  if (!(error instanceof AppError)) throw error;
  const { code, message, retryAfterSeconds } = error;
  if (code === "unauthenticated") {
    c.header("www-authenticate", 'Basic realm="XML-RPC Authentication token"');
    return c.text(message, 401);
  }
  if (code === "throttled") {
    c.header("retry-after", String(retryAfterSeconds ?? 1));
    return c.text(message, 429);
  }
  if (code === "invalid") return c.text(message, 400);
  throw error;
}
