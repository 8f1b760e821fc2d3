import type { NewItem, Operation } from "../ports/table.ts";
import { healthDueKey } from "./keys.ts";

/** When a device has to be looked at because its last health check gets old. An item of its own: the device is in other lists. */
export interface HealthDueRecord {
  hostname: string;
  due: string;
}

export const healthDueItem = ({ hostname, due }: HealthDueRecord): NewItem => ({
  key: healthDueKey(hostname),
  data: { hostname, due },
  keys: { i1: { partition: "health-due", sort: `${due}#${hostname}` } },
});

/** For the transaction that says when the next health check is due by time; `version` of the item that says so now. */
export const healthDueOperations = (
  hostname: string,
  due: string | undefined,
  version: number | undefined,
): Operation[] => {
  if (due === undefined) return [];
  const when = version === undefined ? "absent" : { version };
  return [{ put: healthDueItem({ hostname, due }), when }];
};
