import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withSecrets } from "../../control-plane/domain/with-secrets.ts";
import { runTicket } from "../../worker/run-ticket.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

const put = (name: string, value: string, token?: string) =>
  lab.request(`/secrets/${encodeURIComponent(name)}`, {
    method: "PUT",
    body: { value },
    ...(token === undefined ? {} : { token }),
  });
const DEFINITION = `${aJob()}
secrets:
  PLAIN: something
  GITLAB: my-gitlab   # a comment stays
  rclone_env: {RCLONE_CONFIG_A_PASS: 'my-gitlab'}
`;

describe("a remote artefact token", () => {
  test("is in the ticket in place of its name, and nowhere else", async () => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    expect((await put("my-gitlab", 'glpat-"1": ä\n')).status).toBe(200);
    await lab.sync(worker);
    const id = await lab.submit(DEFINITION);
    const { start } = await lab.sync(worker);
    expect(start[0]?.definition).toBe(
      DEFINITION.replace(
        "GITLAB: my-gitlab",
        String.raw`GITLAB: "glpat-\"1\": \U000000e4\n"`,
      ).replace("'my-gitlab'", String.raw`"glpat-\"1\": \U000000e4\n"`),
    );
    expect(start[0]?.secrets).toEqual(['glpat-"1": ä\n']);
    expect(await (await lab.request(`/jobs/${id}/definition`)).text()).toBe(DEFINITION);
    expect(JSON.stringify(await lab.deps.table.scan())).not.toContain("glpat");
    expect(JSON.stringify(await lab.api("/secrets"))).toBe(
      '{"secrets":[{"name":"my-gitlab","created":"2026-03-01T12:00:00.000Z"}]}',
    );
  });

  test("stands in headers, and as the whole of a value only", async () => {
    await put("name", "the-value");
    const text = `actions:
- deploy:
    images:
      kernel:
        url: https://x/name
        headers: {PRIVATE-TOKEN: name, Other: a name, "name": y}
metadata: {a: name}
secrets: {list: [name, "name"], number: 1}
`;
    expect((await withSecrets(lab.deps, "admin", text)).definition).toBe(
      text
        .replace("PRIVATE-TOKEN: name", 'PRIVATE-TOKEN: "the-value"')
        .replace('[name, "name"]', '["the-value", "the-value"]'),
    );
  });

  test("is its person's: another one's jobs keep the name", async () => {
    const alice = await lab.addUser("alice");
    await put("my-gitlab", "of admin");
    await put("my-gitlab", "of alice", alice.token);
    const of = async (user: string) => (await withSecrets(lab.deps, user, DEFINITION)).values;
    expect([await of("admin"), await of("alice"), await of("bob")]).toEqual([
      ["of admin"],
      ["of alice"],
      [],
    ]);
    expect(await lab.api("/secrets", { token: alice.token })).toMatchObject({
      secrets: [{ name: "my-gitlab" }],
    });
  });

  test("is removed, replaced, and bounded", async () => {
    await put("a b", "1");
    await put("a b", "2");
    expect((await withSecrets(lab.deps, "admin", "secrets: {A: a b}")).values).toEqual(["2"]);
    expect((await lab.request("/secrets/a%20b", { method: "DELETE" })).status).toBe(204);
    expect((await lab.request("/secrets/a%20b", { method: "DELETE" })).status).toBe(404);
    expect((await put("x".repeat(101), "1")).status).toBe(400);
    expect((await put("a/b", "1")).status).toBe(400);
    expect((await put("a", "x".repeat(5000))).status).toBe(400);
    for (let n = 0; n < 100; n++) await put(`n${n}`, "v");
    expect((await put("one more", "v")).status).toBe(400);
    expect((await put("n5", "v2")).status).toBe(200);
  });

  test("that another lab's secret has sealed is none", async () => {
    await put("my-gitlab", "of this lab");
    const settings = { ...lab.deps.settings, secret: "another" };
    const { values, definition } = await withSecrets(
      { ...lab.deps, settings },
      "admin",
      DEFINITION,
    );
    expect([values, definition]).toEqual([[], DEFINITION]);
  });
});

/** What the log of a job says that is stopped at once. */
async function logOf(device: string): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-secrets-"));
  const lines: string[] = [];
  const ticket = {
    ...{ job_id: 1, token: "the-token-of-the-job", device_hostname: "d", device_type: "qemu" },
    definition: `${aJob()}
secrets: {PIN: "123", LONG: a-long-secret}
`,
    secrets: ["put-in-its-place"],
    ...{ device, dispatcher: "", env_dut: "" },
  };
  const stopped = AbortSignal.abort();
  try {
    await runTicket(ticket, {
      scratch: path.join(folder, "scratch"),
      sink: (line) => void lines.push(line),
      signals: { cancel: stopped, cancelAgain: stopped },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return lines.join("\n");
}

describe("a job's log", () => {
  test("shows neither what its ticket put in nor its token, not even when its device can't be read", async () => {
    const log = await logOf("nonsense-put-in-its-place: [the-token-of-the-job, a-long-secret]");
    expect(log).not.toMatch(/put-in-its-place|the-token-of/);
    expect(log).toContain("Configuration");
  });

  test("names the secrets that are too short to be masked", async () => {
    const log = await logOf(aDeviceConfiguration());
    expect(log).toContain("not masked in this log, having fewer than 4 characters: secrets PIN");
  });
});
