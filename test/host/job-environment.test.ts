import { describe, expect, test } from "vitest";
import { readWorkerEnvironment } from "#protocol/worker-environment.ts";
import { changeEnvironment } from "../../worker/host/job-environment.ts";

const OF_THE_WORKER = {
  PATH: "/usr/bin",
  HOME: "/root",
  LANG: "de_DE",
  EDITOR: "ed",
  PUMICE_JOB_DIR: "/work/job-1",
};
const changed = (text: string): NodeJS.ProcessEnv => {
  const env = { ...OF_THE_WORKER };
  const { environment, problems } = readWorkerEnvironment(text);
  expect(problems).toEqual([]);
  changeEnvironment(env, environment);
  return env;
};

describe("a worker's env (API.md: purge, removes, overrides)", () => {
  test.each(["", "# nothing yet\n", "overrides:\nremoves:\npurge:\n"])(
    "%j changes nothing",
    (text) => {
      expect(changed(text)).toEqual(OF_THE_WORKER);
    },
  );

  test("overrides wins over removes; numbers are texts", () => {
    expect(changed("removes: [LANG, EDITOR]\noverrides: {LANG: C, RETRIES: 3}")).toEqual({
      PATH: "/usr/bin",
      HOME: "/root",
      LANG: "C",
      RETRIES: "3",
      PUMICE_JOB_DIR: "/work/job-1",
    });
  });

  test("purge leaves what a program can't be found without", () => {
    expect(changed("purge: true\noverrides: {A: b}")).toEqual({
      PATH: "/usr/bin",
      HOME: "/root",
      A: "b",
      PUMICE_JOB_DIR: "/work/job-1",
    });
  });

  test("Pumice's own variables stay, by which a job is found again", () => {
    const text = "purge: true\nremoves: [PUMICE_JOB_DIR]\noverrides: {PUMICE_JOB_DIR: /elsewhere}";
    expect(changed(text)["PUMICE_JOB_DIR"]).toBe("/work/job-1");
  });

  test.each([
    ["overrides: {A B: c}", /name of a variable/],
    ["overrides: {A: [b]}", /expected a text or a number/],
    ['overrides: {A: "a\\0b"}', /NUL/],
    ["purge: perhaps", /true or false/],
    ["removes: A", /list of names/],
    ["[a]", /expected a mapping/],
    ["a: [", /./],
  ])("%s is refused", (text, message) => {
    const { environment, problems } = readWorkerEnvironment(text);
    expect(problems[0]?.message).toMatch(message);
    expect(environment).toEqual({ purge: false, removes: [], overrides: {} });
  });
});
