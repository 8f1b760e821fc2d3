import { nearestWord } from "#protocol/nearest-word.ts";
import type { Deps } from "../domain/deps.ts";
import { listDevices } from "../domain/devices.ts";
import { someDeviceTypeNames } from "../domain/device-types.ts";
import type { Principal } from "../domain/principal.ts";
import { listWorkers } from "../domain/workers.ts";

const SECTIONS = [
  ...["jobs", "queue", "devices", "device-types", "workers", "tests", "reports", "queries"],
  ...["submit", "docs", "admin", "audit", "account", "search"],
];
const NAMES = 500;

/** For a path at which nothing is: the nearest that is there and may be seen, and words to search with. */
export async function whatWasMeant(
  deps: Deps,
  principal: Principal,
  path: string,
): Promise<{ meant?: { href: string; name: string }; words?: string }> {
  const [section = "", typed = "", ...rest] = path.split("/").slice(1).map(plain);
  const words = typed === "" ? section : typed;
  const said = /^[\w .@#-]{1,100}$/.test(words) ? { words } : {};
  if (!SECTIONS.includes(section)) {
    const near = nearestWord(section, SECTIONS);
    if (near === undefined) return said;
    // There is no page of all jobs but the first.
    const first = near === "jobs" && typed === "" ? "/" : `/${near}`;
    const tail = [typed, ...rest].filter(Boolean).map(encodeURIComponent);
    const href = [first, ...tail].join("/");
    return { ...said, meant: { href, name: href } };
  }
  const names = await namesIn(deps, principal, section);
  const near = typed === "" ? undefined : nearestWord(typed, names);
  if (near === undefined || near === typed) return said;
  return { ...said, meant: { href: `/${section}/${encodeURIComponent(near)}`, name: near } };
}

async function namesIn(deps: Deps, principal: Principal, section: string): Promise<string[]> {
  const page = { limit: NAMES };
  if (section === "devices") {
    return (await listDevices(deps, principal, page)).devices.map(({ hostname }) => hostname);
  }
  if (section === "workers") {
    return (await listWorkers(deps, principal, page)).workers.map(({ name }) => name);
  }
  return section === "device-types" ? someDeviceTypeNames(deps, principal) : [];
}

function plain(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
