import { expect, test } from "vitest";
import { loginSteps } from "../../../worker/actions/login/login.ts";
import { onConsole } from "../../support/on-console.ts";
import { aJobContext, run } from "../../support/plan-of.ts";

/** Logs in at a DUT that does what the script says. */
function logIn(script: string) {
  const auto_login = { login_prompt: "login:", username: "root" };
  const block = { method: "ssh", prompts: ["dut# "], auto_login };
  const job = aJobContext({
    actions: [{ boot: block }],
    timeouts: { job: { minutes: 1 }, action: { seconds: 15 }, connection: { seconds: 15 } },
  });
  const plan = { job, namespace: "common", overlayTests: [], stage: 0, hasShell: false };
  return run(onConsole({ script }, loginSteps(block, plan, { kernelStart: false })), { job });
}

const LOGIN = `printf 'dut login: '; read -r name; printf 'dut# '; read -r end`;

test("a service's warning, which looks like the beginning of a kernel's, hides no login", async () => {
  const { outcome, messages } = await logIn(`printf 'WARNING: no such group\\r\\n'; ${LOGIN}`);
  expect(outcome, messages.join("\n")).toEqual({ result: "pass" });
});

test("of a kernel that complains a lot before the login, the record says how much was left out", async () => {
  const complains = `for n in $(seq 10 69); do printf "[   $n.000000] kmemleak: 1 new suspected memory leak\\r\\n"; done`;
  const { outcome, results, messages } = await logIn(`${complains}; ${LOGIN}`);
  expect(outcome, messages.join("\n")).toEqual({ result: "pass" });
  const record = results.find((one) => one["case"] === "kernel-messages");
  expect(record).toMatchObject({ extra: { extra: [], omitted: 10 } });
  expect(record).toHaveProperty("extra.reports.length", 50);
});
