import { BAD_CALL, Fault } from "./fault.ts";
import type { MethodCall } from "./read-call.ts";
import type { XmlRpcStruct, XmlRpcValue } from "./xml-value.ts";

/** Most calls in one request. */
const MOST_CALLS = 100;

/** The calls of a `system.multicall`; what is none is the fault that answers it. Throws a fault for what is no list of calls. */
export function readMulticall(params: readonly XmlRpcValue[]): (MethodCall | Fault)[] {
  const [calls] = params;
  if (!Array.isArray(calls) || params.length !== 1) {
    throw new Fault(BAD_CALL, "system.multicall expected a list of methods to call");
  }
  if (calls.length > MOST_CALLS) {
    throw new Fault(BAD_CALL, `system.multicall: expected at most ${MOST_CALLS} calls`);
  }
  return (calls as XmlRpcValue[]).map(readOne);
}

function readOne(value: XmlRpcValue): MethodCall | Fault {
  const isStruct = typeof value === "object" && value !== null && !Array.isArray(value);
  const { methodName: name, params = [] } = (isStruct ? value : {}) as XmlRpcStruct;
  if (typeof name !== "string") {
    return new Fault(BAD_CALL, "system.multicall methodName not specified");
  }
  if (!Array.isArray(params))
    return new Fault(BAD_CALL, "system.multicall: params: expected a list");
  if (name === "system.multicall") {
    return new Fault(BAD_CALL, "system.multicall may not be called by itself");
  }
  return { name, params: params as XmlRpcValue[] };
}
