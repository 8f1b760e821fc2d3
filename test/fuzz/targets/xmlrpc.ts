import { METHODS } from "../../../control-plane/lava/xmlrpc/methods.ts";
import { aJob } from "../../support/builders.ts";
import { embeddedLab } from "../../support/embedded-lab.ts";
import { callXml } from "../../support/xmlrpc-client.ts";
import type { FuzzTarget } from "../engine/fuzz-target.ts";
import { requireNoFault } from "./fault-of-ours.ts";

/** Calls of an administrator, who may call everything. */
export const xmlrpc: FuzzTarget = {
  about: "XML-RPC calls at /RPC2, as an administrator",
  words: [
    ...[...METHODS.keys()].map((name) => `<methodName>${name}</methodName>`),
    ...[
      "<value>",
      "</value>",
      "<param>",
      "</param>",
      "<array><data>",
      "</data></array>",
      "<struct>",
    ],
    ...["</struct>", "<member><name>a</name>", "</member>", "<string>a</string>", "<i4>1</i4>"],
    ...["<boolean>1</boolean>", "<nil/>", "<double>1e308</double>", "<base64>AAAA</base64>"],
    ...[
      "<dateTime.iso8601>20260101T00:00:00</dateTime.iso8601>",
      "<!DOCTYPE a [",
      "<!ENTITY b 'c'>",
    ],
    ...["&lt;", "&b;", "&#0;", "<![CDATA[", "]]>", "<?xml version='1.0'?>", "__proto__", "qemu-01"],
    ..."<param><value><string>qemu</string></value></param>".split("|"),
  ],
  seeds: () => [
    callXml("scheduler.submit_job", [aJob()]),
    callXml("scheduler.jobs.show", ["1"]),
    callXml("system.multicall", [[{ methodName: "system.listMethods", params: [] }]]),
    callXml("scheduler.devices.update", ["qemu-01", "bench", "admin", true, "GOOD", "text"]),
    callXml("scheduler.aliases.add", ["a", "qemu"]),
    callXml("results.get_testjob_results_yaml", ["1", 10, 0]),
    callXml("scheduler.device_types.get_template", ["qemu"]),
    callXml("scheduler.jobs.logs", [1, 0]),
  ],
  async open() {
    const lab = await embeddedLab({}, "embedded");
    await lab.addWorker();
    await lab.addDevice("qemu-01");
    await lab.submit();
    const authorization = `Basic ${Buffer.from(`admin:${lab.adminToken}`).toString("base64")}`;
    return {
      async run(input) {
        const init = { method: "POST", headers: { authorization }, body: input as BodyInit };
        const answer = await lab.app.request("/RPC2", init);
        const text = await answer.text();
        await lab.settled();
        if (answer.status >= 500) throw new Error(`status ${answer.status}: ${text}`);
        requireNoFault(lab.messages);
      },
      close: () => lab.close(),
    };
  },
};
