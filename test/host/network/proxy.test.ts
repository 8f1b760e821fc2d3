import { expect, test } from "vitest";
import { proxyFor } from "../../../worker/host/network/proxy.ts";
import { parsePins } from "../../../worker/host/network/trust.ts";

const nameFor = (url: string, env: Record<string, string>): string | undefined =>
  proxyFor(new URL(url), env)?.name;

test.each([
  ["https://lab.test", { HTTPS_PROXY: "http://p:3128" }, "http://p:3128"],
  ["https://lab.test", { HTTPS_PROXY: "p:3128" }, "http://p:3128"],
  ["https://lab.test", { https_proxy: "http://low:1", HTTPS_PROXY: "http://up:1" }, "http://low:1"],
  ["https://lab.test", { HTTP_PROXY: "http://p:3128" }, undefined],
  ["http://lab.test", { HTTP_PROXY: "http://p:3128" }, "http://p:3128"],
  ["http://lab.test", { ALL_PROXY: "https://p" }, "https://p"],
  ["http://lab.test", { ALL_PROXY: "http://all:1", HTTP_PROXY: "http://own:1" }, "http://own:1"],
  ["https://lab.test", { HTTPS_PROXY: "" }, undefined],
  ["https://lab.test", { HTTPS_PROXY: "http://[fd00::1]:3128" }, "http://[fd00::1]:3128"],
])("%s with %o is asked of %s", (url, env, name) => {
  expect(nameFor(url, env as Record<string, string>)).toBe(name);
});

test.each([
  ["*", true],
  ["lab.test", true],
  ["test", true],
  [".lab.test", true],
  ["*.test", true],
  ["LAB.TEST", true],
  ["a,b lab.test", true],
  ["b.test", false],
  ["ab.test", false],
  ["lab.test:8443", true],
  ["lab.test:443", false],
  [".", false],
  [",", false],
])("NO_PROXY=%s leaves out https://lab.test:8443: %s", (NO_PROXY, isLeftOut) => {
  const name = nameFor("https://lab.test:8443", { HTTPS_PROXY: "p", NO_PROXY });
  expect(name === undefined).toBe(isLeftOut);
});

test.each([
  ["https://10.1.2.3", "10.0.0.0/8", true],
  ["https://11.1.2.3", "10.0.0.0/8", false],
  ["https://10.1.2.3", "10.1.2.3", true],
  ["https://10.1.2.3:8443", "10.1.2.3:443", false],
  ["https://210.1.2.3", "10.1.2.3", false],
  ["https://[fd00::5]", "fd00::/8", true],
  ["https://[fd00::5]", "[fd00::/8]", true],
  ["https://[fd00::5]", "FD00:0::5", true],
  ["https://[fd00::5]:8443", "[fd00::5]:8443", true],
  ["https://[fd00::5]", "[fd00::6]", false],
  ["https://10.1.2.3", "10.0.0.0/99", false],
  ["https://name.test", "10.0.0.0/8", false],
])("%s is an exception by NO_PROXY=%s: %s", (url, NO_PROXY, isLeftOut) => {
  expect(nameFor(url, { ALL_PROXY: "p", NO_PROXY }) === undefined).toBe(isLeftOut);
});

test("this machine is never asked through a proxy", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "a.localhost"]) {
    expect(nameFor(`http://${host}:8080`, { ALL_PROXY: "p" })).toBeUndefined();
  }
});

test("user and password are decoded for the proxy, and never part of its name", () => {
  const proxy = proxyFor(new URL("https://lab.test"), {
    HTTPS_PROXY: "http://j%40x:p%3A%2F%25é@p:1",
  });
  const login = Buffer.from("j@x:p:/%é").toString("base64");
  expect(proxy).toMatchObject({ name: "http://p:1", user: "j@x", authorization: `Basic ${login}` });
  const odd = proxyFor(new URL("https://lab.test"), { HTTPS_PROXY: "http://jo:100%@p:1" });
  expect(odd?.authorization).toBe(`Basic ${Buffer.from("jo:100%").toString("base64")}`);
});

test("a pin is known in base64, as curl writes it, and in hexadecimal", () => {
  const digest = Buffer.alloc(32, 0xab);
  const base64 = digest.toString("base64");
  const colons = digest.toString("hex").replace(/(..)(?=.)/g, "$1:");
  const words = [
    base64,
    `sha256//${base64}`,
    digest.toString("hex"),
    `sha256:${colons.toUpperCase()}`,
  ];
  expect(parsePins(words.join(", "))).toEqual(Array(4).fill(base64));
  expect(() => parsePins("abc")).toThrow(/PUMICE_PIN/);
});
