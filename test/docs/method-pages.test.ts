import { globSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { METHODS } from "#protocol/job-strategies.ts";
import { checkPlan } from "../../worker/pipeline/check-plan.ts";
import { describePlan } from "../../worker/pipeline/describe-plan.ts";
import { readTicket } from "../../worker/job-context.ts";
import { plan } from "../../worker/run-ticket.ts";
import { methodPage, methodPages } from "../support/method-page.ts";
import { ticketFor } from "../support/run-on-bed.ts";

const goldens = path.resolve(import.meta.dirname, "../golden/plans");
const isUpdate = process.env["PUMICE_UPDATE_GOLDENS"] !== undefined;

const tests = path.resolve(import.meta.dirname, "..");
/** The tests that run a page's job, on a bed or against stand-ins. */
const runners = ["beds", "actions", "deploy"]
  .flatMap((folder) => globSync(`${folder}/**/*.test.ts`, { cwd: tests }))
  .map((file) => ({ file, text: readFileSync(path.join(tests, file), "utf8") }));
/** Pages that a test goes through in a loop. */
const LOOPED = /^deploy-(usb|sata|sd)$/;

test("each method has its page", () => {
  const wanted = [
    ...METHODS.deploy.map((name) => `deploy-${name}`),
    ...METHODS.boot.map((name) => `boot-${name}`),
    ...METHODS.test.map((name) => `test-${name}`),
  ];
  expect(methodPages()).toEqual(expect.arrayContaining(wanted));
});

test("the index names each page", () => {
  const index = readFileSync(
    path.resolve(import.meta.dirname, "../../docs/methods/README.md"),
    "utf8",
  );
  const named = [...index.matchAll(/^\| \[\S+\]\((\S+)\.md\)/gm)].map(([, page]) => page);
  expect(new Set(named)).toEqual(new Set(methodPages()));
});

describe.each(methodPages())("docs/methods/%s.md", (name) => {
  test("has a job and a dictionary whose plan is the golden one", () => {
    const actions = plan(readTicket(ticketFor(methodPage(name)), "/nonexistent"));
    checkPlan(actions);
    const text = `${describePlan(actions)}\n`;
    const golden = path.join(goldens, `${name}.txt`);
    if (isUpdate) writeFileSync(golden, text);
    expect(text).toBe(readFileSync(golden, "utf8"));
  });

  test("says on what the method was tested, and a test runs its job there", () => {
    const last = methodPage(name).text.trim().split("\n\n").at(-1) ?? "";
    expect(last).toMatch(/^Tested: (on|against|by)/);
    const wanted = LOOPED.test(name) ? "runPage(`deploy-${to}`)" : `"${name}"`;
    const runs = runners.filter(({ text }) => text.includes(wanted));
    const isOnBed = last.startsWith("Tested: on") && name !== "deploy-mps";
    const places = runs.map(({ file }) => file);
    // A bed is a real device; deploy-mps writes a real disk, which needs none.
    if (isOnBed) expect(places).toContainEqual(expect.stringMatching(/^beds\//));
    else expect(places).not.toEqual([]);
  });
});
