import { embeddedLab, type EmbeddedLab } from "./embedded-lab.ts";
import { aJob } from "./builders.ts";
import type { Kind } from "../http/access-matrix.ts";

export interface AccessLab {
  readonly lab: EmbeddedLab;
  /** What each kind sends with its requests. */
  readonly headers: Record<Kind, Record<string, string>>;
  close(): Promise<void>;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** The lab that test/http/access-matrix.ts describes, with everybody and everything in it. Close it after the test. */
export async function accessLab(): Promise<AccessLab> {
  const lab = await embeddedLab();
  const headers = {} as AccessLab["headers"];
  const grant = (where: string, to: string, permission: string) =>
    lab.api(`/permissions/${where}`, { body: { to, permission } });
  const person = async (name: string) => (await lab.addStranger(name)).token;
  const session = async (token: string) => {
    const { url } = await lab.api<{ url: string }>("/sign-in-links", { token, method: "POST" });
    const answer = await lab.request("/sign-in", {
      token: null,
      body: new URL(url).searchParams.toString(),
      headers: { "sec-fetch-site": "same-origin" },
    });
    const cookie = answer.headers.get("set-cookie")!.split(";")[0]!;
    return { cookie, "sec-fetch-site": "same-origin" };
  };
  const worker = await lab.addWorker();
  const far = await lab.addWorker("far");
  const tokens = new Map<Kind, string>();
  for (const kind of [
    "stranger",
    "tenant",
    "viewer",
    "submitter",
    "changer",
    "owner",
    "member",
    "overseer",
    "inactive",
  ] as const) {
    tokens.set(kind, await person(kind));
  }
  for (const [group, user] of [
    ["viewers", "viewer"],
    ["submitters", "submitter"],
    ["changers", "changer"],
    ["team", "member"],
  ]) {
    await lab.api(`/groups/${group}`, { method: "PUT", body: { members: [user] } });
  }
  await lab.addDevice("qemu-01");
  await lab.addDevice("qemu-02");
  await lab.addDevice("other-01", { device_type: "other", worker: "far" });
  for (const thing of ["device-type/qemu", "worker/bench"]) {
    await grant(thing, "viewers", "view");
    await grant(thing, "submitters", "submit");
    await grant(thing, "changers", "change");
    await grant(thing, "user:owner", "submit");
  }
  for (const thing of ["device-type/other", "device/other-01", "worker/far"])
    await grant(thing, "user:tenant", "admin");
  await grant("lab/lab", "user:overseer", "view");

  await lab.sync(worker);
  const owner = tokens.get("owner")!;
  await lab.api("/jobs", { token: owner, body: aJob() });
  const forTeam = aJob().replace("visibility: public", "visibility: {group: [team]}");
  await lab.api("/jobs", { token: owner, body: forTeam });
  await lab.settled();
  const { start } = await lab.sync(worker);
  if (start.length !== 2) throw new Error("both jobs should have a device by now");

  const addToken = async (body: object) =>
    (await lab.api<{ token: string }>("/tokens", { body })).token;
  tokens.set(
    "admin's read token",
    await addToken({ subject: "admin", admin: true, scopes: ["read"] }),
  );
  tokens.set("expired", await addToken({ subject: "owner", expires_seconds: 60 }));
  lab.pass(61);
  await lab.api("/users/inactive", { method: "PATCH", body: { active: false } });
  tokens.set("admin", lab.adminToken).set("worker", worker).set("other worker", far);
  tokens.set("job", start.find(({ job_id }) => job_id === 1)!.token);
  tokens.set("other job", start.find(({ job_id }) => job_id === 2)!.token);
  for (const [kind, token] of tokens) headers[kind] = bearer(token);
  headers.anonymous = {};
  headers["owner's session"] = await session(owner);
  headers["admin's session"] = await session(lab.adminToken);
  return { lab, headers, close: () => lab.close() };
}
