import { LAVA_VERSION } from "../lava-version.ts";
import { Fault } from "./fault.ts";
import { absent, method, name, names, type Method } from "./method.ts";
import * as v from "valibot";

/** What is in `system` beside permissions; `all` gives every method there is. */
export const systemMethods = (all: () => ReadonlyMap<string, Method>): Method[] => [
  method("system.listMethods", "anybody", {}, "Names of all methods.", () => [...all().keys()]),
  method(
    "system.methodHelp",
    "anybody",
    { method_name: name },
    "What a method does; empty for one that there is not.",
    (_call, { method_name }) => {
      const found = all().get(method_name);
      return found ? `${found.name}${found.signature}\n\n${found.about}` : "";
    },
  ),
  method(
    "system.methodSignature",
    "anybody",
    { method_name: name },
    "The types of a method's answer and arguments, where it says them: only of a few, as they have optional ones.",
    (_call, { method_name }) => {
      if (!all().has(method_name)) return "";
      return TYPES.get(method_name) ?? "undef";
    },
  ),
  method(
    "system.multicall",
    "anybody",
    { calls: v.array(v.any()) },
    "Makes several calls, each {methodName, params}, one after the other. Answers a list: of each call its answer in a list of one, or its fault.",
    () => {
      // It is called where calls are (methods.ts); this is what is told of it.
      throw new Fault(400, "system.multicall may not be called by itself");
    },
  ),
  method(
    "system.getCapabilities",
    "anybody",
    {},
    "Which conventions of XML-RPC this follows.",
    () => ({
      introspect: {
        specUrl: "http://xmlrpc-c.sourceforge.net/xmlrpc-c/introspection.html",
        specVersion: 1,
      },
      faults_interop: {
        specUrl: "http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php",
        specVersion: 20010516,
      },
    }),
  ),
  method(
    "system.version",
    "anybody",
    {},
    "The version of LAVA whose API this is.",
    () => LAVA_VERSION,
  ),
  method("system.api_version", "anybody", {}, "The version of this API: 2.", () => 2),
  method(
    "system.whoami",
    "anybody",
    {},
    "The name of the user who calls, or None.",
    ({ principal }) =>
      principal.kind === "user" || principal.kind === "session" ? principal.name : null,
  ),
  method(
    "system.master_config",
    "anybody",
    {},
    "How to listen to events, and the most MB of a log that are shown.",
    ({ deps }) => ({
      EVENT_TOPIC: "org.lavasoftware",
      // ZeroMQ is not spoken here: listeners use the WebSocket.
      EVENT_SOCKET: "",
      EVENT_NOTIFICATION: deps.settings.engine === "embedded",
      LOG_SIZE_LIMIT: 50,
    }),
  ),
  absent(
    "system.pipeline_network_map",
    "read",
    { switch: v.nullish(name) },
    "network maps belong to VLANd, which is gone from LAVA as well",
  ),
  method(
    "system.user_can_view_bundles",
    "read",
    { bundle_list: names },
    "Always false: bundle streams are gone since LAVA 2.",
    () => false,
  ),
];

const TYPES = new Map<string, string[]>([
  ["system.methodHelp", ["string", "string"]],
  ["system.multicall", ["array", "array"]],
]);
