import type { DeviceRecord } from "./device-record.ts";

/**
 * Which device each member of a group gets, by its place in `choices`: as many members as possible get one of their choices, the
 * earlier of them where that does no harm. `places` says how many more jobs a worker may have; one that isn't there has no limit.
 */
export function matchDevices(
  choices: readonly (readonly DeviceRecord[])[],
  places: ReadonlyMap<string, number>,
): (DeviceRecord | undefined)[] {
  const given: (DeviceRecord | undefined)[] = choices.map(() => undefined);
  const holderOf = ({ hostname }: DeviceRecord) =>
    given.findIndex((device) => device?.hostname === hostname);
  const onWorker = (worker: string) =>
    given.flatMap((device, member) => (device?.worker === worker ? [member] : []));

  // A path of moves at whose end a device or a worker's place is free, as in any largest flow.
  function give(member: number, seen: Set<string>): boolean {
    if (seen.has(`member ${member}`)) return false;
    seen.add(`member ${member}`);
    for (const device of choices[member] ?? []) {
      const { hostname, worker } = device;
      if (seen.has(`device ${hostname}`)) continue;
      seen.add(`device ${hostname}`);
      const holder = holderOf(device);
      if (holder >= 0 ? give(holder, seen) : makeRoom(worker, seen)) {
        given[member] = device;
        return true;
      }
    }
    return false;
  }
  function makeRoom(worker: string, seen: Set<string>): boolean {
    const there = onWorker(worker);
    if (there.length < (places.get(worker) ?? Infinity)) return true;
    if (seen.has(`worker ${worker}`)) return false;
    seen.add(`worker ${worker}`);
    return there.some((other) => give(other, seen));
  }

  for (const member of choices.keys()) give(member, new Set());
  return given;
}
