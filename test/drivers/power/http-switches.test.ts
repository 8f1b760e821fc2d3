import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { runPowerCommand } from "../../../worker/drivers/power/power-command.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

type Answer = { status?: number; body: unknown; headers?: Record<string, string> };

/** A switch that answers as the real one does; what it was asked stands in `asked`. */
async function aSwitch(answer: (request: IncomingMessage, url: URL) => Answer) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://switch");
    asked.push(request.url ?? "");
    const { status = 200, body, headers = {} } = answer(request, url);
    response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

async function power(...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  await runPowerCommand(words, {
    signal: new AbortController().signal,
    say: (line) => lines.push(line),
  });
  return lines;
}

/** A plug of so many relays, all off, that wants this password if it is given. */
function aTasmota(relays: number, password?: string) {
  const state = Array.from({ length: relays }, () => "OFF");
  return aSwitch((_, url) => {
    if (password !== undefined && url.searchParams.get("password") !== password) {
      return { status: 401, body: { WARNING: "Need user=<username>&password=<password>" } };
    }
    const [, digits = "1", word] =
      /^Power(\d*) ?(\w*)$/.exec(url.searchParams.get("cmnd") ?? "") ?? [];
    const index = Number(digits) - 1;
    if (url.pathname !== "/cm" || state[index] === undefined)
      return { body: { Command: "Unknown" } };
    if (word) state[index] = word.toUpperCase();
    return { body: { [relays === 1 ? "POWER" : `POWER${digits}`]: state[index] } };
  });
}

describe("Tasmota", () => {
  test("a relay is switched on, and says so when asked", async () => {
    const { host, asked } = await aTasmota(2);
    await power("tasmota", `http://${host}`, "2", "on");
    expect((await power("tasmota", `http://${host}`, "2", "status")).at(-1)).toBe("on");
    expect((await power("tasmota", `http://${host}`, "1", "status")).at(-1)).toBe("off");
    expect(asked[0]).toBe("/cm?cmnd=Power2%20On");
  });

  test("a plug with one relay answers without its number", async () => {
    const { host } = await aTasmota(1);
    await power("tasmota", `http://${host}`, "1", "on");
    expect((await power("tasmota", `http://${host}`, "1", "status")).at(-1)).toBe("on");
  });

  test("a cycle is off, a pause, on", async () => {
    const { host, asked } = await aTasmota(1);
    await power("tasmota", `http://${host}`, "1", "cycle", "--delay", "0");
    expect(asked).toEqual(["/cm?cmnd=Power1%20Off", "/cm?cmnd=Power1%20On"]);
  });

  test("its password is sent, and is not in the log", async () => {
    const { host } = await aTasmota(1, "p w");
    const lines = await power("tasmota", `http://admin:p%20w@${host}`, "1", "on");
    expect(lines.join("\n")).not.toContain("p%20w");
  });

  test("a relay that it doesn't have is an error that says so", async () => {
    const { host } = await aTasmota(1);
    await expect(power("tasmota", `http://${host}`, "4", "on")).rejects.toThrow(
      /expected the state of relay 4, got {"Command":"Unknown"}/,
    );
  });
});

describe("Shelly", () => {
  /** Its outlet 0, off. */
  function aShelly(generation: 1 | 2) {
    let on = false;
    return aSwitch((_, { pathname, searchParams: query }) => {
      const old = generation === 1;
      if (pathname === "/shelly") {
        return { body: old ? { type: "SHPLG-S" } : { gen: 2, model: "SNSW-001X16EU" } };
      }
      if (old && pathname === "/relay/0") {
        if (query.has("turn")) on = query.get("turn") === "on";
        return { body: { ison: on } };
      }
      if (!old && pathname === "/rpc/Switch.Set" && query.get("id") === "0") {
        const was_on = on;
        on = query.get("on") === "true";
        return { body: { was_on } };
      }
      if (!old && pathname === "/rpc/Switch.GetStatus" && query.get("id") === "0") {
        return { body: { id: 0, output: on } };
      }
      return { status: 404, body: "Not Found" };
    });
  }

  test.each([1, 2] as const)("generation %i is switched and asked", async (generation) => {
    const { host } = await aShelly(generation);
    const status = async () => (await power("shelly", `http://${host}`, "0", "status")).at(-1);
    await power("shelly", `http://${host}`, "0", "on");
    expect(await status()).toBe("on");
    await power("shelly", `http://${host}`, "0", "off");
    expect(await status()).toBe("off");
  });

  test("generation 2 with a password is answered by digest", async () => {
    const { host } = await aSwitch(({ headers }, { pathname }) => {
      if (pathname === "/shelly") return { body: { gen: 2, auth_en: true } };
      const answer = headers.authorization ?? "";
      const value = (name: string) => new RegExp(`${name}="?([^",]+)`).exec(answer)?.[1] ?? "";
      const sha = (text: string) => createHash("sha256").update(text).digest("hex");
      // RFC 7616, 3.4.1, as the plug does it.
      const parts = [sha("admin:plug:p w"), "n1", value("nc"), value("cnonce"), "auth"];
      const right = sha([...parts, sha(`GET:${value("uri")}`)].join(":"));
      if (!answer.startsWith("Digest") || value("response") !== right) {
        const challenge = 'Digest qop="auth", realm="plug", nonce="n1", algorithm=SHA-256';
        return { status: 401, body: "", headers: { "www-authenticate": challenge } };
      }
      return { body: { id: 0, output: true } };
    });
    const status = (login: string) => power("shelly", `http://${login}@${host}`, "0", "status");
    expect((await status("admin:p%20w")).at(-1)).toBe("on");
    await expect(status("admin:wrong")).rejects.toThrow(/GetStatus: 401/);
  });

  test("something else behind the address is named", async () => {
    const { host } = await aSwitch(() => ({ body: "<html>a router</html>" }));
    await expect(power("shelly", `http://${host}`, "0", "on")).rejects.toThrow(
      /expected JSON, got "<html>.*is this the right kind of switch\?/,
    );
  });
});

describe("any switch", () => {
  test("is tried again when it did not answer", async () => {
    let calls = 0;
    const { host } = await aSwitch(() =>
      ++calls === 1 ? { status: 503, body: "busy" } : { body: { POWER: "ON" } },
    );
    const lines = await power("tasmota", `http://${host}`, "1", "on");
    expect(lines.join("\n")).toMatch(/503 busy; trying again/);
  });

  test("is given up at once when the job is cancelled", async () => {
    const stop = new AbortController();
    const { host } = await aSwitch(() => {
      stop.abort(new Error("cancelled"));
      return { status: 503, body: "busy" };
    });
    const words = ["tasmota", `http://${host}`, "1", "on"];
    const io = { signal: stop.signal, say: () => {} };
    await expect(runPowerCommand(words, io)).rejects.toThrow("cancelled");
  });

  test.each([
    [["nope", "http://a", "1", "on"], /there is no driver "nope" \(there are gpio, pdudaemon/],
    [["tasmota", "10.0.0.5", "1", "on"], /expected tasmota http:\/\/HOST RELAY/],
    [["tasmota", "http://a", "one", "on"], /not the outlet "one"/],
    [["tasmota", "http://a", "1", "blink"], /expected on, off, cycle, status .*"blink"/],
    [["tasmota", "http://a", "1", "on", "--active-low"], /unexpected --active-low/],
    [["pdudaemon", "http://a:16421", "1", "on"], /http:\/\/DAEMON:16421\/SWITCH/],
    [["snmp", "snmp://c@h/nobody", "1", "on"], /expected one of apc, .* or an OID/],
    [["snmp", "snmp://c@h/1.3.6.1.4?on=1", "1", "on"], /\?on=1&off=2/],
  ])("%j is refused before anything is asked", async (words, message) => {
    await expect(power(...words)).rejects.toThrow(message);
  });
});
