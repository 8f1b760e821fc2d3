import { pause } from "../../domain/pause.ts";
import { requireReader } from "../../domain/principal.ts";
import { requireLavaScope } from "../lava-principal.ts";
import { aliasMethods } from "./alias-methods.ts";
import { deviceMethods } from "./device-methods.ts";
import { deviceTypeMethods } from "./device-type-methods.ts";
import { Fault, NO_METHOD } from "./fault.ts";
import { jobMethods } from "./job-methods.ts";
import { legacyMethods } from "./legacy-methods.ts";
import type { Call, Method } from "./method.ts";
import { permissionMethods } from "./permission-methods.ts";
import { readMulticall } from "./multicall.ts";
import { resultMethods } from "./result-methods.ts";
import { systemMethods } from "./system-methods.ts";
import { tagMethods } from "./tag-methods.ts";
import { mostChars } from "./whole-text.ts";
import { workerMethods } from "./worker-methods.ts";
import type { XmlRpcValue } from "./xml-value.ts";

/** Every method by name. */
export const METHODS: ReadonlyMap<string, Method> = new Map(
  [
    ...aliasMethods,
    ...deviceMethods,
    ...deviceTypeMethods,
    ...jobMethods,
    ...legacyMethods,
    ...permissionMethods,
    ...resultMethods,
    ...systemMethods(() => METHODS),
    ...tagMethods,
    ...workerMethods,
  ]
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((one) => [one.name, one]),
);

/**
 * Calls a method by its name, once it is known that the caller is a person whose token is good for it. `told`: what a caller is told of an
 * error, for those of several calls at once.
 */
export async function callMethod(
  call: Call,
  name: string,
  params: readonly XmlRpcValue[],
  told: (error: unknown) => Fault,
): Promise<XmlRpcValue> {
  if (name === "system.multicall") return multicall(call, params, told);
  const found = METHODS.get(name);
  if (!found) throw new Fault(NO_METHOD, `No such method: '${name.slice(0, 200)}'`);
  if (found.scope !== "anybody") {
    requireReader(call.principal);
    await requireLavaScope(call.deps, call.principal, found.scope);
  }
  return found.run(call, params);
}

/**
 * One after the other, as clients rely on the order; a fault of one is its answer. All answers together are no longer than one may
 * be: once they would be, the calls that are left are not made, and told so.
 */
async function multicall(
  call: Call,
  params: readonly XmlRpcValue[],
  told: (error: unknown) => Fault,
): Promise<XmlRpcValue> {
  const answers: XmlRpcValue[] = [];
  let chars = 0;
  for (const one of readMulticall(params)) {
    try {
      if (one instanceof Fault) throw one;
      if (chars > mostChars(call.deps)) throw new Fault(400, TOO_LONG_TOGETHER);
      const answer = await callMethod(call, one.name, one.params, told);
      chars += charsOf(answer);
      if (chars > mostChars(call.deps)) throw new Fault(400, TOO_LONG_TOGETHER);
      answers.push([answer]);
    } catch (error) {
      const { code, message } = told(error);
      answers.push({ faultCode: code, faultString: message });
    }
    // Others have their turn between the calls.
    await pause();
  }
  return answers;
}

const TOO_LONG_TOGETHER =
  "the answers of this system.multicall are too long for one answer: make fewer calls at once";

/** How long a value is at least as text. */
function charsOf(value: XmlRpcValue): number {
  if (typeof value === "string") return value.length;
  if (value instanceof Uint8Array) return Math.ceil((value.length * 4) / 3);
  if (typeof value !== "object" || value === null || value instanceof Date) return 20;
  let chars = 20;
  for (const one of Object.values(value)) chars += one === undefined ? 0 : 20 + charsOf(one);
  return chars;
}
