import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { addressRange } from "#protocol/address-range.ts";
import { isHostOf } from "#protocol/host-pattern.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { listOfTexts } from "./list-of-texts.ts";
import { meaningOf } from "./network/explain.ts";

/** Which hosts the downloads of a job may reach: the worker's settings `download_hosts` and `download_hosts_denied`. */
export interface DownloadRules {
  /** Only these, when there are any: a name (`*` for any characters), an address or a network (`10.0.0.0/8`). */
  readonly only: readonly string[];
  /** None of these; `private` for all networks that are not of the Internet. */
  readonly denied: readonly string[];
}

/** Without settings: everything but the metadata of clouds. */
export const NO_RULES: DownloadRules = { only: [], denied: [] };

/** @throws JobFailure Configuration for an entry that is none. */
export function downloadRules(dispatcher: Readonly<Record<string, unknown>>): DownloadRules {
  const read = (name: string): string[] =>
    listOfTexts(dispatcher[name]).map((text) => {
      const entry = text.toLowerCase();
      if (isNetwork(entry) ? inNetwork(entry, "") !== undefined : HOST.test(entry)) return entry;
      throw new JobFailure(
        "Configuration",
        `the worker's setting ${name}: '${text}': expected the name of a host (* for any characters), an address, a network (10.0.0.0/8)${name === "download_hosts" ? "" : " or private"}`,
      );
    });
  return { only: read("download_hosts"), denied: read("download_hosts_denied") };
}

/** Whether anything is said: then git goes by a proxy of the runner's. */
export const hasRules = ({ only, denied }: DownloadRules): boolean =>
  only.length + denied.length > 0;

/**
 * The addresses of a host that a job may reach, asked for once: whoever connects to one of these can't be led elsewhere by a name
 * that changes. Empty when a proxy is going to ask for them (`isProxied`): then only the name is judged. `url` is for the message.
 *
 * @throws JobFailure Job when it may not be reached; an Error in words when nobody knows the name.
 */
export async function reachableAddresses(
  rules: DownloadRules,
  { url, host, isProxied = false }: { url: string; host: string; isProxied?: boolean },
): Promise<LookupAddress[]> {
  const name = host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
  const addresses = await addressesOf(name, isProxied);
  if (name === ownHost()) return addresses;
  const refusals = new Set<string>();
  const open = addresses.filter(({ address }) => {
    const why = refusal(rules, name, plainAddress(address));
    if (why !== undefined) refusals.add(why);
    return why === undefined;
  });
  if (addresses.length === 0) {
    const why = refusal(rules, name, undefined);
    if (why !== undefined) refusals.add(why);
  }
  if (open.length > 0 || refusals.size === 0) return open;
  throw new JobFailure(
    "Job",
    `'${url}': the jobs of this worker may not reach ${name}: ${[...refusals].join("; ")}. Who may change the worker allows it by its setting download_hosts`,
  );
}

/** As `reachableAddresses`, for what a program of the host is going to reach; a name that nobody knows is that program's to tell. */
export async function requireReachable(
  rules: DownloadRules,
  place: { url: string; host: string; isProxied?: boolean },
): Promise<void> {
  try {
    await reachableAddresses(rules, place);
  } catch (error) {
    if (error instanceof JobFailure) throw error;
  }
}

const HOST = /^[\w.*:-]+$/;
/** Where clouds hand out a machine's credentials: AWS (machines, containers), Google, Azure, Alibaba, Oracle. */
const METADATA = [
  ...["169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200"],
  ...["192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"],
];

/** Why not; undefined when it may be reached. What the list has without `*` counts more than what is denied. */
function refusal(
  { only, denied }: DownloadRules,
  name: string,
  address: string | undefined,
): string | undefined {
  const hits = (entry: string): boolean =>
    isHostOf(entry, name) || (address !== undefined && inNetwork(entry, address) === true);
  const listed = only.filter(hits);
  if (listed.some((entry) => !entry.includes("*"))) return undefined;
  const which = address === undefined || address === name ? name : `its address ${address}`;
  if (address !== undefined && METADATA.includes(address)) {
    return `${which} is that of a cloud's metadata`;
  }
  const isPrivate = address !== undefined && addressRange(address) !== undefined;
  const by = denied.find((entry) => hits(entry) || (entry === "private" && isPrivate));
  if (by !== undefined) return `${which} is denied by download_hosts_denied (${by})`;
  return only.length > 0 && listed.length === 0 ? "it is not in download_hosts" : undefined;
}

async function addressesOf(name: string, isProxied: boolean): Promise<LookupAddress[]> {
  const family = isIP(name);
  if (family !== 0) return [{ address: name, family }];
  if (isProxied) return [];
  try {
    return await lookup(name, { all: true });
  } catch (error) {
    throw new Error(meaningOf(error, name) ?? (error as Error).message, { cause: error });
  }
}

/** The lab's own server has what jobs need, wherever it is. */
function ownHost(): string | undefined {
  const url = process.env["PUMICE_URL"] ?? "";
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : undefined;
}

/** An IPv6 address in its short form; an IPv4 one that stands in it (mapped, by NAT64) as that. */
function plainAddress(address: string): string {
  const [bare = ""] = address.split("%");
  if (isIP(bare) !== 6) return bare;
  const short = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const [, high = "", low = ""] = /^(?:::ffff:|64:ff9b::)([\da-f]+):([\da-f]+)$/.exec(short) ?? [];
  if (low === "") return short;
  const [a, b] = [parseInt(high, 16), parseInt(low, 16)];
  return `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`;
}

const isNetwork = (entry: string): boolean => entry.includes("/") || isIP(entry) !== 0;

/** Undefined when the entry is no network. */
function inNetwork(entry: string, address: string): boolean | undefined {
  const [base = "", length] = entry.split("/", 2);
  const family = isIP(base);
  if (family === 0) return undefined;
  const most = family === 4 ? 32 : 128;
  const bits = length === undefined ? most : Number(length || NaN);
  if (!Number.isInteger(bits) || bits < 0 || bits > most) return undefined;
  if (isIP(address) !== family) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(base, bits, type);
  return list.check(address, type);
}
