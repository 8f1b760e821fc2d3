import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { aJob } from "../support/builders.ts";
import { cli, startCli } from "../support/cli-run.ts";
import { hookReceiver, type HookReceiver } from "../support/hook-receiver.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let receiver: HookReceiver;
let dir: string;
let worker: string;
const env = () => ({ PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
const pumice = (...args: string[]) => cli(args, env());
beforeEach(async () => {
  receiver = await hookReceiver();
  lab = await listeningLab({}, "embedded");
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cli-"));
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  await pumice("settings", "set", "notices.private_hosts", "[127.0.0.1]");
});
afterEach(async () => {
  await lab.close();
  await receiver.close();
  rmSync(dir, { recursive: true, force: true });
});

const health = async (word: string) => {
  await lab.api("/devices/qemu-01/health", { body: { health: word } });
  await lab.settled();
};

describe("pumice webhooks", () => {
  test("add prints the secret once, list shows the webhook, remove ends it", async () => {
    const url = `${receiver.url}/hook`;
    const added = await pumice(
      "webhooks",
      "add",
      url,
      "--events",
      "device.health,job.*",
      "--description",
      "CI",
    );
    expect(added.code).toBe(0);
    expect(added.out.trim()).toMatch(/^[\w-]{43}$/);
    const { out } = await pumice("webhooks", "list");
    expect(out).toMatch(/device\.health,job\.\* +public +pumice +on +CI/);
    expect(out).not.toContain(added.out.trim());
    await health("Bad");
    expect(receiver.received).toHaveLength(1);
    const id = out.split("\n")[1]!.split(" ")[0]!;
    expect((await pumice("webhooks", "remove", id)).code).toBe(0);
    expect((await pumice("webhooks", "enable", id)).said).toContain("there is no webhook");
  });

  test("add takes a secret from a file and does not repeat it", async () => {
    const file = path.join(dir, "secret");
    writeFileSync(file, "0123456789abcdef\n");
    const added = await pumice("webhooks", "add", receiver.url, "--secret-file", file);
    expect([added.code, added.out]).toEqual([0, ""]);
    expect((await pumice("webhooks", "add", receiver.url, "--events", "x")).said).toContain(
      "job.finished",
    );
  });
});

describe("pumice notices", () => {
  test("list, show and replay tell what became of a job's callback", async () => {
    receiver.answer(404, "who?");
    const notify = `notify: {criteria: {status: canceled}, callback: {url: "${receiver.url}/cb"}}`;
    const id = await lab.submit(aJob({ lines: [notify] }));
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    await lab.sync(worker);
    const name = `${id}-1-finished-callback-0`;
    expect((await pumice("notices", "list", "--job", String(id))).out).toMatch(
      new RegExp(`^${name} .* callback +job\\.finished ${id} .* failed +HTTP 404 who\\?`, "m"),
    );
    receiver.answer(200);
    expect((await pumice("notices", "replay", name)).code).toBe(0);
    await lab.settled();
    const { out } = await pumice("notices", "show", name);
    expect(out).toMatch(/sent\n.*HTTP 404 who\?\n.*HTTP 200/);
    const json = JSON.parse((await pumice("notices", "list", "--json")).out);
    expect(json.notices).toMatchObject([{ id: name, state: "sent" }]);
  });

  test("mail-password takes it from a file, and can be told to forget it", async () => {
    const file = path.join(dir, "password");
    writeFileSync(file, "s3cret\n");
    expect((await pumice("notices", "mail-password")).code).toBe(2);
    expect((await pumice("notices", "mail-password", "--file", file)).code).toBe(0);
    expect((await pumice("notices", "mail-password", "--remove")).code).toBe(0);
  });
});

describe("pumice events", () => {
  test("prints what happened, filtered", async () => {
    const since = "2026-03-01T11:00:00Z";
    await health("Bad");
    const { out, code } = await pumice("events", "--since", since, "--kind", "device");
    expect(code).toBe(0);
    expect(out).toContain("2026-03-01 12:00:00 device qemu-01: health Good → Bad (admin");
    expect((await pumice("events", "--since", since, "--kind", "job")).out).toBe("");
    expect((await pumice("events", "--kind", "token")).code).toBe(2);
    expect((await pumice("events", "--since", "yesterday")).said).toContain("--since: expected");
  });

  test("--follow goes on until Ctrl-C", async () => {
    const run = startCli(
      ["events", "--follow", "--json", "--since", "2026-03-01T11:00:00Z"],
      env(),
    );
    await run.shows('"qemu-01"');
    await health("Bad");
    await run.shows('["Good","Bad"]');
    run.interrupt();
    expect(await run.ended).toBe(130);
  });

  test("--follow goes on where the stream broke, and tells nothing twice", async () => {
    const asked: unknown[] = [];
    const event = (n: number) => {
      const change = { id: `c${n}`, time: "2026-03-01T12:00:00.000Z", who: "ann", kind: "device" };
      const data = { ...change, name: `d${n}`, changed: { state: ["Idle", "Reserved"] } };
      return `id: p${n}\nevent: device\ndata: ${JSON.stringify(data)}\n\n`;
    };
    const server = createServer((request, response) => {
      asked.push(request.headers["last-event-id"]);
      response.writeHead(200, { "content-type": "text/event-stream" });
      if (asked.length > 1) return void response.write(event(2) + event(3));
      response.write(`${event(1)}${event(2)}id: p`, () => response.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const run = startCli(["events", "--follow"], {
      ...env(),
      PUMICE_URL: `http://127.0.0.1:${port}`,
    });
    await run.shows("d3");
    expect(run.out.match(/device d\d/g)).toEqual(["device d1", "device d2", "device d3"]);
    expect(asked).toEqual([undefined, "p2"]);
    run.interrupt();
    await run.ended;
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
});
