/**
 * In which range that is not of the public Internet an address is, by name; undefined for a public one. `address` is as a
 * resolver writes it; whatever can't be read is `no address`. Sources: IANA's special-purpose registries for IPv4 and IPv6.
 */
export function addressRange(address: string): string | undefined {
  const four = bytesOf4(address);
  if (four) return rangeOf4(four);
  const six = groupsOf6(address);
  return six ? rangeOf6(six) : "no address";
}

type Bytes = readonly number[];

const RANGES_4: readonly [name: string, network: string, bits: number][] = [
  ["unspecified", "0.0.0.0", 8],
  ["private", "10.0.0.0", 8],
  ["carrier-grade NAT", "100.64.0.0", 10],
  ["loopback", "127.0.0.0", 8],
  // Where clouds keep their metadata and credentials, too.
  ["link-local", "169.254.0.0", 16],
  ["private", "172.16.0.0", 12],
  ["protocol assignments", "192.0.0.0", 24],
  ["documentation", "192.0.2.0", 24],
  ["6to4 relay", "192.88.99.0", 24],
  ["private", "192.168.0.0", 16],
  ["benchmarking", "198.18.0.0", 15],
  ["documentation", "198.51.100.0", 24],
  ["documentation", "203.0.113.0", 24],
  ["multicast", "224.0.0.0", 4],
  ["reserved", "240.0.0.0", 4],
];

function rangeOf4(bytes: Bytes): string | undefined {
  const value = numberOf4(bytes);
  return RANGES_4.find(([, network, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(value / size) === Math.floor(numberOf4(bytesOf4(network) ?? []) / size);
  })?.[0];
}

const numberOf4 = (bytes: Bytes): number => bytes.reduce((sum, byte) => sum * 256 + byte, 0);

/** Only 2000::/3 is public, without what is cut out of it; addresses that carry an IPv4 address are as good as that. */
function rangeOf6(groups: Bytes): string | undefined {
  const [a = 0, b = 0, c = 0] = groups;
  const inner = (at: number): Bytes => {
    const [high = 0, low = 0] = groups.slice(at, at + 2);
    return [high >> 8, high & 255, low >> 8, low & 255];
  };
  const leading = groups.findIndex((group) => group !== 0);
  if (leading === -1) return "unspecified";
  if (leading === 7 && groups[7] === 1) return "loopback";
  if (leading >= 6) return `IPv4-compatible ${rangeOf4(inner(6)) ?? "address"}`;
  if (leading === 5 && groups[5] === 0xffff) return named("IPv4-mapped", rangeOf4(inner(6)));
  if (a === 0x64 && b === 0xff9b) {
    const isWellKnown = groups.slice(2, 6).every((group) => group === 0);
    return isWellKnown ? named("NAT64", rangeOf4(inner(6))) : "local NAT64";
  }
  if (a === 0x2002) return named("6to4", rangeOf4(inner(1)));
  if ((a & 0xfe00) === 0xfc00) return "unique local";
  if ((a & 0xffc0) === 0xfe80) return "link-local";
  if ((a & 0xffc0) === 0xfec0) return "site-local";
  if ((a & 0xff00) === 0xff00) return "multicast";
  if (a === 0x2001 && b < 0x200) return b === 0 ? "Teredo" : "protocol assignments";
  if (a === 0x2001 && b === 0xdb8) return "documentation";
  if (a === 0x3fff && b < 0x1000) return "documentation";
  if (a === 0x2620 && b === 0x4f && c === 0x8000) return "reserved";
  return (a & 0xe000) === 0x2000 ? undefined : "reserved";
}

const named = (what: string, range: string | undefined): string | undefined =>
  range === undefined ? undefined : `${what} ${range}`;

/** Four decimal numbers, as resolvers and URLs (which make them of octal and hexadecimal ones) write them. */
function bytesOf4(text: string): Bytes | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined;
  const bytes = text.split(".").map(Number);
  return bytes.every((byte) => byte < 256) ? bytes : undefined;
}

/** Eight numbers of 16 bits; without brackets, a zone (`%eth0`) is left out. */
function groupsOf6(text: string): Bytes | undefined {
  const [address = ""] = text.split("%");
  const dotted = /^(.*:)([\d.]+)$/.exec(address);
  const tail = dotted?.[2]?.includes(".") ? bytesOf4(dotted[2]) : undefined;
  if (dotted?.[2]?.includes(".") && !tail) return undefined;
  const [t0 = 0, t1 = 0, t2 = 0, t3 = 0] = tail ?? [];
  const hex = (n: number) => n.toString(16);
  const plain = tail ? `${dotted?.[1]}${hex(t0 * 256 + t1)}:${hex(t2 * 256 + t3)}` : address;
  const halves = plain.split("::");
  if (halves.length > 2) return undefined;
  const [front = [], back = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - front.length - back.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...front, ...Array<string>(missing).fill("0"), ...back];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16));
}
