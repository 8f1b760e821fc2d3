import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Scope } from "#protocol/sign-in.ts";
import { METHODS } from "../../control-plane/lava/xmlrpc/methods.ts";
import type { XmlRpcValue } from "../../control-plane/lava/xmlrpc/xml-value.ts";
import { KINDS, UNKNOWN, type Kind } from "../http/access-matrix.ts";
import { accessLab, type AccessLab } from "../support/access-lab.ts";
import { aJob } from "../support/builders.ts";
import { callXml, readAnswer } from "../support/xmlrpc-client.ts";

/*
 * Who may call each method: every method as every kind of principal, cell by cell. The lab, its people and things are those of
 * test/http/access-matrix.ts: job 1 is public, job 2 for group team; both run on devices of type qemu, which grants view to viewers,
 * submit to submitters and change to changers.
 */

let lab: AccessLab;
beforeAll(async () => {
  lab = await accessLab();
});
afterAll(() => lab.close());

/** What a kind is answered: a value, a fault, or a status for who is nobody that the lab knows. */
async function ask(kind: Kind, method: string, params: readonly XmlRpcValue[]): Promise<string> {
  const init = { method: "POST", headers: lab.headers[kind], body: callXml(method, params) };
  const answer = await lab.lab.app.request("/RPC2", init);
  const text = await answer.text();
  await lab.lab.settled();
  if (answer.status !== 200) return String(answer.status);
  const found = readAnswer(text);
  return "code" in found ? String(found.code) : "answered";
}

const people = (...not: Kind[]): Kind[] =>
  KINDS.filter(
    (kind) =>
      ![...UNKNOWN, "worker", "other worker", "job", "other job", ...not].includes(kind as never),
  );
const ADMIN: Kind[] = ["admin", "admin's session"];
const READ: Kind[] = [...ADMIN, "admin's read token"];
const OWNER: Kind[] = ["owner", "owner's session"];
const ON_TYPE: Kind[] = ["viewer", "submitter", "changer", ...OWNER, "overseer", ...READ];
const CHANGERS: Kind[] = ["changer", ...ADMIN];

interface Case {
  readonly params?: readonly XmlRpcValue[];
  /** Who is answered. */
  readonly may: readonly Kind[];
  /** Those who may and are told of something that is wrong for them all, such as an alias that is not there. */
  readonly code?: string;
  /** What all but the first of them are told: it has been done. */
  readonly again?: string;
}

const CASES: Readonly<Record<string, Case>> = {
  // What everybody is told who is signed in: lists of what they may see.
  ...Object.fromEntries(
    [
      "scheduler.jobs.list",
      "scheduler.jobs.queue",
      "scheduler.all_jobs",
      "scheduler.all_devices",
      "scheduler.all_device_types",
      "scheduler.pending_jobs_by_device_type",
      "scheduler.devices.list",
      "scheduler.device_types.list",
      "scheduler.workers.list",
      "scheduler.aliases.list",
      "scheduler.tags.list",
      "scheduler.validate_pipeline_devices",
      "results.refresh_all_queries",
    ].map((name) => [name, { may: people() }]),
  ),
  "system.user_can_view_bundles": { params: [["x"]], may: people() },
  "system.user_can_view_devices": { params: [["qemu-01"]], may: people() },
  "system.user_can_view_jobs": { params: [["1", "2"]], may: people() },
  "system.user_can_submit_to_types": { params: [["qemu"]], may: people() },
  "system.pipeline_network_map": { may: [], code: "400" },
  "scheduler.get_publisher_event_socket": { may: [], code: "400" },
  "scheduler.get_device_type_by_alias": { params: ["none"], may: people() },
  "scheduler.jobs.validate": { params: [aJob()], may: people() },
  "scheduler.validate_yaml": { params: [aJob()], may: people() },
  "results.make_custom_query": { params: ["testjob", "id__exact__1"], may: people() },

  "scheduler.jobs.show": { params: [1], may: ON_TYPE },
  "scheduler.jobs.definition": { params: [1], may: ON_TYPE },
  "scheduler.jobs.configuration": { params: [1], may: ON_TYPE },
  "scheduler.jobs.logs": { params: [1], may: ON_TYPE },
  "scheduler.job_output": { params: [1], may: ON_TYPE },
  "scheduler.job_details": { params: [1], may: ON_TYPE },
  "scheduler.job_state": { params: [2], may: [...OWNER, "member", ...READ] },
  "scheduler.job_health": { params: [2], may: [...OWNER, "member", ...READ] },
  "results.get_testjob_results_yaml": { params: [1], may: ON_TYPE },
  "results.get_testjob_results_csv": { params: [2], may: [...OWNER, "member", ...READ] },
  "results.get_testjob_suites_list_yaml": { params: [1], may: ON_TYPE },
  "results.get_testjob_suites_list_csv": { params: [2], may: [...OWNER, "member", ...READ] },
  "results.get_testjob_metadata": { params: [1], may: ON_TYPE },
  // Nothing has been tested: who may see the job is told that there is no suite, in the same words but one as the others.
  "results.get_testsuite_results_yaml": { params: [1, "x"], may: [], code: "404" },
  "results.get_testsuite_results_csv": { params: [1, "x"], may: [], code: "404" },
  "results.get_testsuite_results_count": { params: [1, "x"], may: [], code: "404" },
  "results.get_testcase_results_yaml": { params: [1, "x", "y"], may: [], code: "404" },
  "results.get_testcase_results_csv": { params: [1, "x", "y"], may: [], code: "404" },
  "results.run_query": { params: ["none"], may: [], code: "404" },
  "results.refresh_query": { params: ["none"], may: [], code: "404" },

  "scheduler.devices.show": { params: ["qemu-01"], may: ON_TYPE },
  "scheduler.devices.get_dictionary": { params: ["qemu-01"], may: ON_TYPE },
  "scheduler.devices.tags.list": { params: ["qemu-01"], may: ON_TYPE },
  "scheduler.get_device_status": { params: ["qemu-01"], may: ON_TYPE },
  "scheduler.get_device_config": { params: ["qemu-01"], may: ON_TYPE },
  "scheduler.export_device_dictionary": { params: ["qemu-01"], may: ON_TYPE },
  "scheduler.get_recent_jobs_for_device": { params: ["qemu-01"], may: ON_TYPE },
  "scheduler.get_recent_jobs_for_device_type": { params: ["qemu"], may: ON_TYPE },
  "scheduler.device_types.show": { params: ["qemu"], may: ON_TYPE },
  "scheduler.device_types.aliases.list": { params: ["qemu"], may: ON_TYPE },
  "scheduler.device_types.get_template": { params: ["qemu"], may: people() },
  // There is none; who may not ask for the lab's texts is not told so.
  "scheduler.device_types.get_health_check": { params: ["qemu"], may: [], code: "404" },
  "scheduler.workers.show": { params: ["bench"], may: ON_TYPE },
  "scheduler.workers.get_config": { params: ["bench"], may: ["changer", ...READ] },
  "scheduler.workers.get_env": { params: ["bench"], may: ["changer", ...READ] },
  "scheduler.workers.get_env_dut": { params: ["bench"], may: ["changer", ...READ] },
  "scheduler.aliases.show": { params: ["none"], may: [], code: "404" },
  "scheduler.tags.show": { params: ["none"], may: [], code: "404" },

  "scheduler.jobs.submit": { params: [aJob()], may: ["submitter", "changer", ...OWNER, ...ADMIN] },
  "scheduler.submit_job": { params: [aJob()], may: ["submitter", "changer", ...OWNER, ...ADMIN] },
  "scheduler.jobs.resubmit": { params: [1], may: ["submitter", "changer", ...OWNER, ...ADMIN] },
  "scheduler.resubmit_job": { params: [1], may: ["submitter", "changer", ...OWNER, ...ADMIN] },
  "scheduler.devices.update": { params: ["qemu-01"], may: CHANGERS },
  "scheduler.devices.tags.add": { params: ["qemu-01", "kvm"], may: CHANGERS },
  "scheduler.devices.tags.delete": { params: ["qemu-02", "none"], may: [], code: "404" },
  "scheduler.devices.set_dictionary": { params: ["qemu-01", "{% if"], may: [], code: "400" },
  "scheduler.import_device_dictionary": { params: ["qemu-01", "{% if"], may: [], code: "400" },
  "scheduler.put_into_maintenance_mode": { params: ["qemu-02", "r"], may: CHANGERS },
  "scheduler.put_into_online_mode": { params: ["qemu-02", "r", true], may: CHANGERS },
  "scheduler.device_types.update": { params: ["qemu", "d"], may: CHANGERS },
  "scheduler.workers.update": { params: ["bench"], may: CHANGERS },
  "scheduler.workers.set_config": { params: ["bench", "a: b\n"], may: CHANGERS },
  "scheduler.workers.set_env": { params: ["bench", "overrides: {A: b}\n"], may: CHANGERS },
  "scheduler.workers.set_env_dut": { params: ["bench", "overrides: {A: b}\n"], may: CHANGERS },

  "scheduler.devices.add": { params: ["qemu-09", "qemu", "bench"], may: ADMIN, again: "400" },
  "scheduler.device_types.add": { params: ["new"], may: ADMIN, again: "400" },
  "scheduler.device_types.set_template": { params: ["new", "{# x #}"], may: ADMIN },
  "scheduler.device_types.set_health_check": { params: ["new", aJob()], may: ADMIN },
  "scheduler.device_types.aliases.add": { params: ["qemu", "box"], may: ADMIN },
  "scheduler.device_types.aliases.delete": { params: ["qemu", "none"], may: [], code: "404" },
  "scheduler.aliases.add": { params: ["box2", "qemu"], may: ADMIN },
  "scheduler.aliases.delete": { params: ["box2"], may: ADMIN, again: "404" },
  "scheduler.tags.add": { params: ["usb"], may: ADMIN, again: "400" },
  "scheduler.tags.delete": { params: ["usb"], may: ADMIN, again: "404" },
  "scheduler.workers.add": { params: ["w9"], may: ADMIN, again: "400" },
  "system.set_user_groups": { params: ["viewer", ["viewers"]], may: ADMIN },
  "system.assign_perm_device": { params: ["view_device", "qemu-01", "team"], may: ADMIN },
  "system.revoke_perm_device": { params: ["view_device", "qemu-01", "team"], may: ADMIN },
  "system.assign_perm_device_type": { params: ["view_devicetype", "qemu", "team"], may: ADMIN },
  "system.revoke_perm_device_type": { params: ["view_devicetype", "qemu", "team"], may: ADMIN },
  // Last: it would end what the others are asked about.
  "scheduler.jobs.cancel": { params: [1], may: [...OWNER, "changer", ...ADMIN] },
  "scheduler.cancel_job": { params: [2], may: [...OWNER, "changer", ...ADMIN] },
};

const MACHINES = ["worker", "other worker", "job", "other job"];
const scopeOf = (name: string): Scope | "anybody" => METHODS.get(name)!.scope;

describe("each kind of principal is answered as the table says", () => {
  test.each(Object.entries(CASES))(
    "%s",
    async (name, { params = [], may, code = "answered", again = "answered" }) => {
      const [wrong, order] = [
        {} as Record<string, string>,
        KINDS.toSorted((a, b) => Number(may.includes(a)) - Number(may.includes(b))),
      ];
      for (const kind of order) {
        const answer = await ask(kind, name, params);
        const isUnknown = ["inactive", "expired"].includes(kind);
        const refusals =
          isUnknown || kind === "anonymous"
            ? ["401"]
            : MACHINES.includes(kind)
              ? ["403"]
              : kind === "admin's read token" && scopeOf(name) !== "read"
                ? ["403"]
                : // Hidden (404), refused (403), or there is no such device type for them (400).
                  ["403", "404", ...(scopeOf(name) === "submit" ? ["400"] : [])];
        const wanted = may.includes(kind)
          ? ["answered", again]
          : code === "answered"
            ? refusals
            : [code, ...refusals];
        if (!wanted.includes(answer)) wrong[kind] = `${answer}, not ${wanted.join(" or ")}`;
      }
      expect(wrong).toEqual({});
    },
  );
});

test("everybody is told what this is, but for whose token is not valid", async () => {
  const open = [...METHODS.values()].filter(({ scope }) => scope === "anybody");
  expect(open.map(({ name }) => name)).toEqual([
    "system.api_version",
    "system.getCapabilities",
    "system.listMethods",
    "system.master_config",
    "system.methodHelp",
    "system.methodSignature",
    "system.multicall",
    "system.version",
    "system.whoami",
  ]);
  for (const { name, signature } of open) {
    const params = signature === "()" ? [] : [name === "system.multicall" ? [] : "system.version"];
    for (const kind of KINDS) {
      const isKnown = kind !== "inactive" && kind !== "expired";
      expect(await ask(kind, name, params), `${name} ${kind}`).toBe(isKnown ? "answered" : "401");
    }
  }
});

test("the table has every method", () => {
  const asked = new Set(Object.keys(CASES));
  const left = [...METHODS.values()].filter(
    ({ name, scope }) => scope !== "anybody" && !asked.has(name),
  );
  expect(left.map(({ name }) => name)).toEqual([]);
});

test("each method needs the scope that the API's own route for it needs", () => {
  const places: readonly [RegExp, Scope][] = [
    [/^scheduler\.(jobs\.(submit|resubmit|cancel)|(submit|resubmit|cancel)_job)$/, "submit"],
    [
      /^scheduler\..*(\.(add|update|delete)|[._](set_\w+)|import_device_dictionary|put_into_\w+)$/,
      "workers",
    ],
    [/^system\.((assign|revoke)_perm|set_user)/, "admin"],
  ];
  for (const { name, scope } of METHODS.values()) {
    if (scope === "anybody") continue;
    const wanted = places.find(([which]) => which.test(name))?.[1] ?? "read";
    expect(scope, name).toBe(wanted);
  }
});
