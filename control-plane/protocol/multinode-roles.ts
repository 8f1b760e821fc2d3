import { asMapping, type Finding } from "./schema-parts.ts";

/** What LAVA's gate finds wrong between the roles of a multinode job (JOB.md 1 and 8.1). */
export function multinodeFindings(roles: unknown): Finding[] {
  const all = asMapping(roles) ?? {};
  const names = new Set<unknown>(Object.keys(all));
  const known = Object.keys(all).slice(0, MAX_NAMES).join(", ");
  const hosts = new Set(Object.values(all).map((role) => asMapping(role)?.["host_role"]));
  return Object.entries(all).flatMap(([name, value]) => {
    const role = asMapping(value);
    if (!role) return [{ path: ["roles", name], message: "expected a mapping" }];
    const found = [
      ...connectionFindings(role, names, known),
      ...deviceFindings(role, hosts.has(name)),
    ];
    return found.map(({ key, message }) => ({ path: ["roles", name, key], message }));
  });
}

interface AtKey {
  key: string;
  message: string;
}

/** Of the roles that a message names. */
const MAX_NAMES = 20;

/** A role without a device of its own connects to the device of another. */
function connectionFindings(
  role: Record<string, unknown>,
  names: ReadonlySet<unknown>,
  known: string,
): AtKey[] {
  const found: AtKey[] = [];
  const { connection, host_role: host, expect_role: expected } = role;
  for (const [key, other, partner] of [
    ["host_role", host, expected],
    ["expect_role", expected, host],
  ] as const) {
    if (other === undefined) {
      const message = "host_role and expect_role come together: one of them is missing";
      if (partner !== undefined) found.push({ key, message });
    } else if (!names.has(other)) {
      found.push({ key, message: `expected the name of a role: ${known}` });
    }
  }
  if (connection === undefined) return found;
  if (host === undefined && expected === undefined) {
    found.push({ key: "connection", message: "a role with a connection needs host_role" });
  }
  for (const key of ["device_type", "device", "worker"]) {
    if (role[key] === undefined) continue;
    found.push({ key, message: `a role with a connection has no ${key}: its host_role has` });
  }
  return found;
}

function deviceFindings(role: Record<string, unknown>, isHost: boolean): AtKey[] {
  const { count, device, device_type: type, connection } = role;
  const found = ["device", "worker"]
    .filter((key) => role[key] !== undefined && type === undefined && connection === undefined)
    .map((key) => ({ key, message: "it needs the role's device_type" }));
  if (count === 1) return found;
  if (device !== undefined) {
    found.push({ key: "count", message: "expected 1, as the role names its device" });
  }
  if (isHost) found.push({ key: "count", message: "expected 1, as the role hosts another" });
  return found;
}
