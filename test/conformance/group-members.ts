import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EmbeddedLab } from "../support/embedded-lab.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { multinodeMembers, type Members } from "../support/multinode-members.ts";

/** The runners' way to their group and the control plane's rules together, on an engine. */
export const groupMembers = (engine: "embedded" | "aws") =>
  describe(`runners of a group, on ${engine}`, () => {
    let lab: EmbeddedLab & { readonly url: string };
    let members: Members;
    beforeEach(async () => {
      // As the functions have it: nobody waits there at our expense.
      lab = await listeningLab(engine === "aws" ? { logHoldSeconds: 0 } : {}, engine);
      members = await multinodeMembers(lab, { hub: 1, node: 2 });
    });
    afterEach(async () => {
      members.close();
      await lab.close();
    });

    test("start together, hear what each has said, and meet as often as they like", async () => {
      const { groups, ids, options } = members;
      expect(await Promise.all(groups.map((group) => group.start(options)))).toEqual(
        ids.map(() => "started"),
      );
      const [hub, ...nodes] = ids.map(String);
      const roles = new Map([[hub, "hub"], ...nodes.map((id) => [id, "node"] as const)]);
      for (const group of groups) expect(group.roles).toEqual(roles);

      const said = (n: number) => new Map([["number", `number ${n}`]]);
      const everything = groups.map(async (group, n) => {
        await group.call({ op: "sync", id: "round" }, options);
        await group.call({ op: "send", id: "hello", data: said(n) }, options);
        await group.call({ op: "sync", id: "round" }, options);
        return group.call({ op: "wait-all", id: "hello" }, options);
      });
      const data = new Map(ids.map((id, n) => [String(id), said(n)]));
      for (const answer of await Promise.all(everything))
        expect(answer).toEqual({ kind: "ack", data });
    });

    test("are told what was said before they asked, and that nobody has said it", async () => {
      const [hub, node] = members.groups;
      if (!hub || !node) throw new Error("no members");
      const { options } = members;
      await hub.call({ op: "send", id: "early", data: new Map() }, options);
      expect(await node.call({ op: "wait", id: "early" }, options)).toMatchObject({ kind: "ack" });
      expect(await node.call({ op: "wait-all", id: "early", role: "hub" }, options)).toMatchObject({
        kind: "ack",
      });
      expect(await node.call({ op: "wait-all", id: "never" }, options)).toMatchObject({
        kind: "nack",
      });
      const brief = { ...options, timeoutSeconds: 0.3 };
      expect(await node.call({ op: "wait-all", id: "early" }, brief)).toEqual({ kind: "timeout" });
      expect(await node.call({ op: "sync", id: "alone" }, brief)).toEqual({ kind: "timeout" });
    });

    test("are refused what is too long, by words that tell", async () => {
      const [hub] = members.groups;
      const data = new Map([["long", "x".repeat(70_000)]]);
      const call = hub?.call({ op: "send", id: "m", data }, members.options);
      await expect(call).rejects.toMatchObject({ type: "Job" });
    });

    test("hear of the end of their job, and may always say that they are done", async () => {
      const [hub, node] = members.groups;
      if (!hub || !node) throw new Error("no members");
      await hub.finish(members.options);
      await lab.api(`/jobs/${members.ids[0]}/cancel`, { method: "POST" });
      await lab.settled();
      // All members are canceled with it, and a runner that is still there says its last word.
      await node.finish(members.options);
      expect((await lab.job(members.ids[1] ?? 0)).state).toBe("Canceling");
    });
  });
