import { BlockList, isIP } from "node:net";

/** Whether an address is in one of the networks, which are written as `192.168.0.0/16`. */
export function isInNetworks(address: string, networks: readonly string[]): boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [net = "", bits = ""] = network.split("/");
    const family = isIP(net);
    if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) continue;
    list.addSubnet(net, Number(bits), family === 4 ? "ipv4" : "ipv6");
  }
  // An IPv4 client of a server that listens on IPv6.
  const plain = address.replace(/^::ffff:(?=[\d.]+$)/i, "");
  const family = isIP(plain);
  return family !== 0 && list.check(plain, family === 4 ? "ipv4" : "ipv6");
}
