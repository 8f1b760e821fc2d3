import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closeLab } from "../../control-plane/domain/closed-lab.ts";
import { METHODS } from "../../control-plane/lava/xmlrpc/methods.ts";
import { MAX_REQUEST_BYTES } from "../../control-plane/lava/xmlrpc/xml-value.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { basic, callXml, readAnswer, xmlRpcClient } from "../support/xmlrpc-client.ts";

let lab: EmbeddedLab;
let rpc: ReturnType<typeof xmlRpcClient>;
beforeEach(async () => {
  lab = await embeddedLab();
  rpc = xmlRpcClient(lab);
});
afterEach(() => lab.close());

/** Those that a LAVA 2023.01 lists. */
const LAVAS =
  `results.get_testcase_results_csv results.get_testcase_results_yaml results.get_testjob_metadata
results.get_testjob_results_csv results.get_testjob_results_yaml results.get_testjob_suites_list_csv results.get_testjob_suites_list_yaml
results.get_testsuite_results_count results.get_testsuite_results_csv results.get_testsuite_results_yaml results.make_custom_query
results.refresh_all_queries results.refresh_query results.run_query scheduler.aliases.add scheduler.aliases.delete
scheduler.aliases.list scheduler.aliases.show scheduler.all_device_types scheduler.all_devices scheduler.all_jobs
scheduler.cancel_job scheduler.device_types.add scheduler.device_types.aliases.add scheduler.device_types.aliases.delete
scheduler.device_types.aliases.list scheduler.device_types.get_health_check scheduler.device_types.get_template
scheduler.device_types.list scheduler.device_types.set_health_check scheduler.device_types.set_template
scheduler.device_types.show scheduler.device_types.update scheduler.devices.add scheduler.devices.get_dictionary
scheduler.devices.list scheduler.devices.set_dictionary scheduler.devices.show scheduler.devices.tags.add
scheduler.devices.tags.delete scheduler.devices.tags.list scheduler.devices.update scheduler.export_device_dictionary
scheduler.get_device_config scheduler.get_device_status scheduler.get_device_type_by_alias scheduler.get_publisher_event_socket
scheduler.get_recent_jobs_for_device scheduler.get_recent_jobs_for_device_type scheduler.import_device_dictionary
scheduler.job_details scheduler.job_health scheduler.job_output scheduler.job_state scheduler.jobs.cancel
scheduler.jobs.configuration scheduler.jobs.definition scheduler.jobs.list scheduler.jobs.logs scheduler.jobs.queue
scheduler.jobs.resubmit scheduler.jobs.show scheduler.jobs.submit scheduler.jobs.validate scheduler.pending_jobs_by_device_type
scheduler.put_into_maintenance_mode scheduler.put_into_online_mode scheduler.resubmit_job scheduler.submit_job
scheduler.tags.add scheduler.tags.delete scheduler.tags.list scheduler.tags.show scheduler.validate_pipeline_devices
scheduler.validate_yaml scheduler.workers.add scheduler.workers.get_config scheduler.workers.get_env
scheduler.workers.get_env_dut scheduler.workers.list scheduler.workers.set_config scheduler.workers.set_env
scheduler.workers.set_env_dut scheduler.workers.show scheduler.workers.update system.api_version system.assign_perm_device
system.assign_perm_device_type system.getCapabilities system.listMethods system.master_config system.methodHelp
system.methodSignature system.multicall system.pipeline_network_map system.revoke_perm_device system.revoke_perm_device_type
system.set_user_groups system.user_can_submit_to_types system.user_can_view_bundles system.user_can_view_devices
system.user_can_view_jobs system.version system.whoami`.split(/\s+/);

test("every method of LAVA is there by name, and no other", async () => {
  expect(await rpc.call("system.listMethods")).toEqual(LAVAS.toSorted());
  expect(LAVAS).toHaveLength(104);
});

test("every method says what it does and how it is called", async () => {
  for (const { name, about, signature } of METHODS.values()) {
    const help = await rpc.call<string>("system.methodHelp", name);
    expect(help).toBe(`${name}${signature}\n\n${about}`);
    expect(about).toMatch(/^[A-Z].*\.$/);
  }
  expect(METHODS.get("scheduler.jobs.logs")?.signature).toBe("(job_id, start=0, end=None)");
  expect(await rpc.call("system.methodSignature", "scheduler.jobs.show")).toBe("undef");
  expect(await rpc.call("system.methodSignature", "system.methodHelp")).toEqual([
    "string",
    "string",
  ]);
  expect(await rpc.call("system.methodHelp", "nosuch")).toBe("");
  expect(await rpc.call("system.methodSignature", "nosuch")).toBe("");
});

test("clients learn which version this is, and who they are", async () => {
  expect(await rpc.call("system.version")).toBe("2023.01");
  expect(await rpc.call("system.api_version")).toBe(2);
  expect(await rpc.call("system.whoami")).toBe("admin");
  expect(await rpc.call("system.getCapabilities")).toMatchObject({
    introspect: { specVersion: 1 },
  });
  expect(await rpc.call("system.master_config")).toMatchObject({ EVENT_TOPIC: "org.lavasoftware" });
});

test("what is absent says what there is in its place", async () => {
  const absent = [...METHODS.values()].filter(({ instead }) => instead !== undefined);
  expect(absent.map(({ name }) => name)).toEqual([
    "scheduler.get_publisher_event_socket",
    "system.pipeline_network_map",
  ]);
  for (const { name, instead } of absent) {
    expect(await rpc.fault(name)).toBe(`400 ${name} is not in Pumice: ${instead}`);
  }
});

describe("several calls at once", () => {
  const call = (methodName: string, ...params: string[]) => ({ methodName, params });

  test("are answered one by one, a fault among them", async () => {
    const calls = [
      call("system.version"),
      call("no.such"),
      call("system.multicall"),
      call("scheduler.jobs.show", "9"),
      { params: [] },
      "x",
    ];
    expect(await rpc.call("system.multicall", calls)).toEqual([
      ["2023.01"],
      { faultCode: -32601, faultString: "No such method: 'no.such'" },
      { faultCode: -32602, faultString: "system.multicall may not be called by itself" },
      { faultCode: 404, faultString: "Job '9' was not found." },
      { faultCode: -32602, faultString: "system.multicall methodName not specified" },
      { faultCode: -32602, faultString: "system.multicall methodName not specified" },
    ]);
  });

  test("are so many at the most, and a list", async () => {
    const many = Array.from({ length: 101 }, () => call("system.version"));
    expect(await rpc.fault("system.multicall", many)).toMatch(/^-32602 .*at most 100/);
    expect(await rpc.fault("system.multicall", "x")).toMatch(/^-32602 .*expected a list/);
    expect(await rpc.fault("system.multicall")).toMatch(/^-32602 /);
  });

  test("are each for who may", async () => {
    const { token } = await lab.addStranger("ann");
    const calls = [call("scheduler.workers.add", "w"), call("system.whoami")];
    const answer = await rpc.ask({ user: "ann", token }, "system.multicall", calls);
    expect(JSON.parse(JSON.stringify(answer))).toMatchObject({
      value: [{ faultCode: 403 }, ["ann"]],
    });
  });
});

describe("a call that is wrong is a fault:", () => {
  test("too many arguments, or too few, or of another kind", async () => {
    expect(await rpc.fault("system.version", 1, 2)).toBe(
      "-32602 system.version() was called with 2 arguments",
    );
    expect(await rpc.fault("scheduler.jobs.submit")).toBe(
      "-32602 scheduler.jobs.submit(definition): argument definition: it is missing",
    );
    expect(await rpc.fault("scheduler.jobs.list", null, null, "x")).toMatch(
      /^-32602 .*argument start: expected a number$/,
    );
    expect(await rpc.fault("scheduler.jobs.list", null, null, -1)).toMatch(/expected 0 or more$/);
  });

  test("what is no call", async () => {
    const answer = await rpc.post("hello", rpc.admin);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/xml");
    expect(readAnswer(await answer.text())).toMatchObject({
      ...{ code: -32603, text: expect.stringContaining("Unable to decode request") },
    });
  });

  test("what is too large", async () => {
    const answer = await rpc.post("x".repeat(MAX_REQUEST_BYTES + 1), rpc.admin);
    expect(readAnswer(await answer.text())).toMatchObject({ code: 400 });
  });

  test("what goes wrong with us is told by a number of the log, and not what it is", async () => {
    const [first] = METHODS.values();
    const run = first!.run;
    Object.assign(first!, { run: () => Promise.reject(new Error("the secret is 42")) });
    try {
      expect(await rpc.fault(first!.name)).toMatch(
        /^-32603 an error of the control plane; .* \w+$/,
      );
    } finally {
      Object.assign(first!, { run });
    }
    expect(lab.messages.join()).toContain("the secret is 42");
  });
});

describe("who calls", () => {
  const whoami = callXml("system.whoami", []);
  const post = (headers: Record<string, string>, body = whoami) =>
    lab.app.request("/RPC2", { method: "POST", headers, body });

  test.each([
    ["a token that is not valid", basic("admin", "wrong"), 401, "Invalid token"],
    ["no user and password in it", { authorization: "Basic YWRtaW4=" }, 400, "USER:TOKEN"],
    ["no base64 in it", { authorization: "Basic !!!!" }, 400, "USER:TOKEN"],
    ["nothing in it", { authorization: "Basic" }, 400, "expected"],
    ["another scheme", { authorization: "Foo bar" }, 400, "scheme"],
  ])("is refused with %s", async (_name, headers, status, text) => {
    const answer = await post(headers);
    expect(answer.status).toBe(status);
    expect(await answer.text()).toContain(text);
    const challenge = answer.headers.get("www-authenticate");
    expect(challenge).toBe(status === 401 ? 'Basic realm="XML-RPC Authentication token"' : null);
  });

  test("must be the user of the token", async () => {
    await lab.addUser("ann");
    expect((await post(basic("ann", lab.adminToken))).status).toBe(401);
    expect((await post(basic("", lab.adminToken))).status).toBe(401);
    expect((await post(basic("admin", lab.adminToken))).status).toBe(200);
  });

  test("may send the token as other clients do", async () => {
    for (const scheme of ["Token", "Bearer"]) {
      const answer = await post({ authorization: `${scheme} ${lab.adminToken}` });
      expect(readAnswer(await answer.text())).toEqual({ value: "admin" });
    }
  });

  test("is told to come later after too many wrong tokens from one address", async () => {
    const from = { address: "192.0.2.7" };
    const wrong = async () => {
      const headers = basic("admin", "wrong");
      const init = { method: "POST", headers, body: whoami };
      return (await lab.app.request("/RPC2", init, from)).status;
    };
    const statuses: number[] = [];
    for (let n = 0; n < 61; n++) statuses.push(await wrong());
    expect(statuses.slice(0, 60).every((status) => status === 401)).toBe(true);
    expect(statuses[60]).toBe(429);
  });

  test("is nobody without a header, and is asked for a token where the lab shows nothing", async () => {
    expect(await rpc.ask(null, "system.whoami")).toEqual({ value: null });
    expect(await rpc.ask(null, "system.version")).toEqual({ value: "2023.01" });
    const needed = "Authentication with user and token required for this API.";
    expect(await rpc.ask(null, "scheduler.jobs.list")).toEqual({ code: 401, text: needed });
    await lab.api("/permissions/lab/lab", { body: { to: "anonymous", permission: "view" } });
    expect(await rpc.ask(null, "scheduler.jobs.list")).toEqual({ value: [] });
    expect(await rpc.ask(null, "scheduler.jobs.submit", aJob())).toEqual({
      ...{ code: 401, text: needed },
    });
  });

  test("may do no more than the token's scopes say", async () => {
    const { token } = await lab.api<{ token: string }>("/tokens", {
      body: { subject: "admin", admin: true, scopes: ["read"] },
    });
    const reader = { user: "admin", token };
    expect(await rpc.ask(reader, "scheduler.jobs.list")).toEqual({ value: [] });
    expect(await rpc.ask(reader, "scheduler.jobs.submit", aJob())).toMatchObject({ code: 403 });
    expect(await rpc.ask(reader, "scheduler.workers.add", "w")).toMatchObject({ code: 403 });
  });

  test("changes nothing of a lab that is closed", async () => {
    await closeLab(lab.deps, lab.admin);
    expect(await rpc.ask(rpc.admin, "scheduler.jobs.list")).toEqual({ value: [] });
    expect(await rpc.ask(rpc.admin, "scheduler.tags.add", "x")).toMatchObject({ code: 503 });
  });
});

test("an archive can be read, and not changed", async () => {
  await lab.close();
  lab = await embeddedLab({ archive: true });
  rpc = xmlRpcClient(lab);
  expect(await rpc.ask(rpc.admin, "scheduler.tags.add", "x")).toMatchObject({ code: 403 });
  expect(await rpc.ask(rpc.admin, "scheduler.jobs.list")).toEqual({ value: [] });
});

test("whoever only looks is sent to the list of methods", async () => {
  for (const [method, body] of [["GET"], ["POST", ""]] as const) {
    const answer = await lab.app.request("/RPC2", {
      method,
      ...(body === undefined ? {} : { body }),
    });
    expect(answer.status).toBe(302);
    expect(answer.headers.get("location")).toBe("/api/help/");
  }
  const help = await lab.app.request("/api/help/");
  expect(help.headers.get("content-type")).toMatch(/^text\/plain/);
  expect(await help.text()).toContain("scheduler.jobs.logs(job_id, start=0, end=None)");
});
