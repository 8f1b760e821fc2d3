import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { addressRange } from "../../control-plane/protocol/address-range.ts";
import { guardedCall, type Resolve } from "../../control-plane/outbound/guarded-call.ts";
import type { Call, Guard } from "../../control-plane/ports/outbound.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
});

async function listening(
  answer: (request: IncomingMessage, body: string) => [number, string, Record<string, string>?],
): Promise<number> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const [status, text, headers = {}] = answer(request, body);
    response.writeHead(status, headers).end(text);
  });
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const closed: Guard = { allowPrivate: false, privateHosts: [], onlyHosts: [] };
const call = (url: string, more: Partial<Call> = {}): Call => ({
  url,
  method: "GET",
  headers: {},
  timeoutMs: 5000,
  guard: closed,
  ...more,
});
const resolvingTo =
  (...addresses: string[]): Resolve =>
  async () =>
    addresses;
const neverAsked: Resolve = async () => {
  throw new Error("a resolver was asked");
};

describe("an address is public unless it is in one of the ranges", () => {
  test.each([
    ["8.8.8.8", undefined],
    ["1.1.1.1", undefined],
    ["100.63.255.255", undefined],
    ["100.128.0.0", undefined],
    ["172.15.255.255", undefined],
    ["172.32.0.0", undefined],
    ["2606:4700:4700::1111", undefined],
    ["2a00:1450:4001:82a::200e", undefined],
    ["2001:4860:4860::8888", undefined],
    ["0.0.0.0", "unspecified"],
    ["0.1.2.3", "unspecified"],
    ["10.255.0.1", "private"],
    ["100.64.0.1", "carrier-grade NAT"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.255", "loopback"],
    ["169.254.169.254", "link-local"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.0.0.8", "protocol assignments"],
    ["192.0.2.1", "documentation"],
    ["192.168.1.1", "private"],
    ["198.19.0.1", "benchmarking"],
    ["203.0.113.7", "documentation"],
    ["224.0.0.251", "multicast"],
    ["255.255.255.255", "reserved"],
    ["::", "unspecified"],
    ["0:0:0:0:0:0:0:0", "unspecified"],
    ["::1", "loopback"],
    ["0000:0000:0000:0000:0000:0000:0000:0001", "loopback"],
    ["::7f00:1", "IPv4-compatible loopback"],
    ["::127.0.0.1", "IPv4-compatible loopback"],
    ["::ffff:127.0.0.1", "IPv4-mapped loopback"],
    ["::ffff:7f00:1", "IPv4-mapped loopback"],
    ["::FFFF:A9FE:A9FE", "IPv4-mapped link-local"],
    ["::ffff:8.8.8.8", undefined],
    ["64:ff9b::7f00:1", "NAT64 loopback"],
    ["64:ff9b::10.0.0.1", "NAT64 private"],
    ["64:ff9b:1::1", "local NAT64"],
    ["2002:7f00:1::", "6to4 loopback"],
    ["2002:c0a8:101::1", "6to4 private"],
    ["fc00::1", "unique local"],
    ["fd12:3456:789a::1", "unique local"],
    ["fd00:ec2::254", "unique local"],
    ["fe80::1", "link-local"],
    ["fe80::1%eth0", "link-local"],
    ["febf::1", "link-local"],
    ["fec0::1", "site-local"],
    ["ff02::1", "multicast"],
    ["2001::1", "Teredo"],
    ["2001:db8::1", "documentation"],
    ["2001:10::1", "protocol assignments"],
    ["100::1", "reserved"],
    ["5f00::1", "reserved"],
    ["4000::1", "reserved"],
    ["", "no address"],
    ["010.0.0.1", "no address"],
    ["127.1", "no address"],
    ["1.2.3.4.5", "no address"],
    ["::1::", "no address"],
    ["1:2:3:4:5:6:7:8:9", "no address"],
    ["::ffff:999.0.0.1", "no address"],
  ])("%s: %s", (address, range) => {
    expect(addressRange(address)).toBe(range);
  });
});

describe("a call is refused", () => {
  test.each([
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.0.1./",
    "http://0/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[0:0:0:0:0:ffff:7f00:0001]/",
    "http://[64:ff9b::7f00:1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://①②⑦.⓪.⓪.①/",
    "http://user:password@10.0.0.1/",
  ])("to %s, whose address is private in whatever form", async (url) => {
    await expect(guardedCall(call(url), neverAsked)).rejects.toThrow(/has no public address/);
  });

  test.each(["file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "data:,x"])(
    "to %s: only http and https",
    async (url) => {
      await expect(guardedCall(call(url), neverAsked)).rejects.toThrow(/only http/);
    },
  );

  test("to a name all of whose addresses are private", async () => {
    const names = resolvingTo("192.168.7.7", "fd00::7");
    await expect(guardedCall(call("http://inside.test/"), names)).rejects.toThrow(
      "inside.test has no public address (private); an administrator can allow it",
    );
  });

  test("to a host that is not among those which the lab may call", async () => {
    const guard = { ...closed, onlyHosts: ["*.example.org"] };
    const to = (url: string) => guardedCall(call(url, { guard }), resolvingTo("10.0.0.1"));
    await expect(to("http://example.com/")).rejects.toThrow("not among notices.only_hosts");
    await expect(to("http://ci.example.org.evil.test/")).rejects.toThrow("only_hosts");
    await expect(to("http://ci.example.org/")).rejects.toThrow("no public address");
  });
});

test("a pattern of a host is all of it, in any case, and many * take no time", async () => {
  const isAllowed = async (pattern: string, host: string) => {
    const guard = { ...closed, onlyHosts: [pattern] };
    const text = await guardedCall(
      call(`http://${host}/`, { guard }),
      resolvingTo("10.0.0.1"),
    ).catch(String);
    return !String(text).includes("only_hosts");
  };
  for (const [pattern, host, is] of [
    ["ci.example.org", "ci.example.org", true],
    ["CI.example.org", "ci.Example.ORG", true],
    ["ci.example.org", "ci-example.org", false],
    ["ci.example.org", "xci.example.org", false],
    ["*.example.org", "example.org", false],
    ["ci*.example.org", "ci.example.org", true],
    ["a*b*b", "ab", false],
    ["a*b*b", "axbxb", true],
    ["*a*b*c", "cba", false],
    ["*", "anything.test", true],
    ["*a".repeat(30), `${"a".repeat(60)}b`, false],
  ] as const) {
    expect([pattern, host, await isAllowed(pattern, host)]).toEqual([pattern, host, is]);
  }
});

describe("a call that is allowed", () => {
  test("goes to the address that was checked; the name is asked for once", async () => {
    const port = await listening(({ headers }) => [200, String(headers.host)]);
    let asked = 0;
    // A name that answers something else the second time: what DNS rebinding does.
    const rebinding: Resolve = async () => (asked++ === 0 ? ["127.0.0.1"] : ["169.254.169.254"]);
    const guard = { ...closed, privateHosts: ["hook.test"] };
    const answer = await guardedCall(call(`http://hook.test:${port}/x`, { guard }), rebinding);
    expect(answer).toEqual({ status: 200, text: `hook.test:${port}` });
    expect(asked).toBe(1);
  });

  test("follows no redirect, wherever that leads", async () => {
    let seen = 0;
    const port = await listening(() => {
      seen += 1;
      return [302, "elsewhere", { location: "http://169.254.169.254/" }];
    });
    const guard = { ...closed, allowPrivate: true };
    const answer = await guardedCall(call(`http://127.0.0.1:${port}/`, { guard }));
    expect(answer.status).toBe(302);
    expect(seen).toBe(1);
  });

  test("sends its body and headers, and the URL's name and password as such", async () => {
    const port = await listening(({ headers, method }, body) => [
      200,
      JSON.stringify([method, body, headers["x-token"], headers.authorization]),
    ]);
    const guard = { ...closed, allowPrivate: true };
    const answer = await guardedCall(
      call(`http://ann:s%C3%A9cret@127.0.0.1:${port}/`, {
        method: "POST",
        body: "née",
        headers: { "x-token": "t" },
        guard,
      }),
    );
    const basic = `Basic ${Buffer.from("ann:sécret").toString("base64")}`;
    expect(JSON.parse(answer.text)).toEqual(["POST", "née", "t", basic]);
  });

  test("reads the beginning of an answer only", async () => {
    const port = await listening(() => [200, "x".repeat(5_000_000)]);
    const guard = { ...closed, allowPrivate: true };
    const answer = await guardedCall(call(`http://127.0.0.1:${port}/`, { guard }));
    expect(answer.text).toHaveLength(2000);
  });

  test("ends when nobody answers in time, be it the host or its name server", async () => {
    const silent = createServer(() => {});
    servers.push(silent.listen(0, "127.0.0.1"));
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const guard = { ...closed, allowPrivate: true };
    const hurried = { guard, timeoutMs: 50 };
    await expect(guardedCall(call(`http://127.0.0.1:${port}/`, hurried))).rejects.toThrow(
      "no answer within 0.05 s",
    );
    const never: Resolve = () => new Promise(() => {});
    await expect(guardedCall(call("http://slow.test/", hurried), never)).rejects.toThrow(
      "the name was not resolved within 0.05 s",
    );
  });
});
