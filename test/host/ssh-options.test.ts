import { expect, test } from "vitest";
import { sshTarget } from "../../worker/host/ssh-options.ts";
import type { JobContext } from "../../worker/pipeline/action.ts";
import { aJobContext } from "../support/plan-of.ts";

function aJob(ssh: Record<string, unknown>, dispatcher: Record<string, unknown> = {}): JobContext {
  const job = aJobContext();
  const { actions } = job.device;
  const deploy = { ...actions.deploy, methods: { ssh } };
  return { ...job, dispatcher, device: { ...job.device, actions: { ...actions, deploy } } };
}

test("a key without a folder is one of the worker's", () => {
  const { login, port, options } = sshTarget(
    aJob(
      { host: "dut", port: 2222, user: "lava", identity_file: "keys/lava", options: ["-4"] },
      {
        ssh_keys_dir: "/srv/keys",
      },
    ),
  );
  expect([login, port]).toEqual(["lava@dut", "2222"]);
  expect(options[0]).toBe("-4");
  expect(options.slice(-2)).toEqual(["-i", "/srv/keys/keys/lava"]);
});

test.each([
  [{ host: "" }, /methods.ssh.host of device dut-1: expected .*ssh_host.*: it is not set/],
  [{ host: "-oProxyCommand=x" }, /not "-oProxyCommand=x"/],
  [{ host: "dut", user: "-l" }, /ssh.user .* not "-l"/],
  [{ host: "dut", port: "22 -o x" }, /ssh.port/],
])("%j is refused: it could be an option", (ssh, message) => {
  expect(() => sshTarget(aJob(ssh))).toThrow(message);
});
