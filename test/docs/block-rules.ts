import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { parse } from "yaml";
import { readJobDefinition } from "#protocol/job-definition.ts";
import { SETTINGS_NAMES, someSettingsSchema } from "#protocol/lab-settings.ts";
import { resultMessageSchema } from "#protocol/log-record.ts";
import { METHODS } from "#protocol/job-strategies.ts";
import { readTestDefinition } from "#protocol/test-definition.ts";
import { windowSchema } from "#protocol/windows.ts";
import { readWorkerEnvironment } from "#protocol/worker-environment.ts";
import { stockTemplates } from "../../control-plane/stock-templates.ts";
import { renderDevice } from "../../control-plane/templates/render-device.ts";
import type { Block } from "./blocks.ts";
import { commandProblems } from "./command-lines.ts";
import { bootProblems, partProblems, type Part } from "./planned-part.ts";

/** A kind of example: which blocks are of it, and what is wrong with one. The first kind that takes a block checks it. */
export interface Kind {
  readonly name: string;
  readonly takes: (block: Block) => boolean;
  readonly problems: (block: Block) => Promise<string[]> | string[];
}

const root = path.resolve(import.meta.dirname, "../..");
const isYaml = ({ language }: Block) => language === "yaml";
const values = new WeakMap<Block, unknown>();
/** Each kind asks for it. */
const value = (block: Block): unknown => {
  if (!values.has(block)) values.set(block, valueOf(block.text));
  return values.get(block);
};
function valueOf(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
const isMapping = (one: unknown): one is Record<string, unknown> =>
  typeof one === "object" && one !== null && !Array.isArray(one);
const keysOf = (block: Block): string[] => {
  const parsed = value(block);
  return isMapping(parsed) ? Object.keys(parsed) : [];
};
const isOf = (schema: v.GenericSchema, one: unknown): string[] =>
  (v.safeParse(schema, one).issues ?? []).map(({ message }) => message);

const TIMEOUTS = { job: { hours: 2 }, action: { minutes: 5 }, connection: { minutes: 2 } };
const A_JOB = { job_name: "a part", device_type: "qemu", visibility: "public", timeouts: TIMEOUTS };
const AN_ACTION = { test: { definitions: [], timeout: { minutes: 1 } } };
const JOB_PARTS = ["context", "timeouts", "protocols", "notify", "retry_on", "secrets", "metadata"];

/** What the gate says of a job that has this part. */
function gate(part: object): string[] {
  const { problems } = readJobDefinition(
    JSON.stringify({ ...A_JOB, actions: [AN_ACTION], ...part }),
  );
  return problems.map(({ path: at, message }) => `${at}: ${message}`);
}
/** A job of several devices has its devices in the roles. */
const inGroup = (part: object): object => ({
  ...part,
  ...("protocols" in part
    ? { device_type: undefined, actions: [{ test: { ...AN_ACTION.test, role: ["server"] } }] }
    : {}),
});

const rendered = (dictionary: string): string[] =>
  renderDevice({
    name: "example.jinja2",
    dictionary,
    loader: stockTemplates(),
    context: { arch: "x86_64" },
  }).problems.map(({ message }) => message);

/** Kind and roles of each action. */
const outlineOf = (actions: unknown): unknown[] =>
  (actions as Record<string, { role?: string[] }>[]).map((action) => {
    const [[kind, block] = []] = Object.entries(action);
    return [kind, block?.role];
  });

export const KINDS: readonly Kind[] = [
  {
    name: "an outline of examples/qemu-multinode.yaml: it has these actions, and the gate takes its protocols",
    takes: (block) => isYaml(block) && keysOf(block).join() === "protocols,actions",
    problems: (block) => {
      const { protocols, actions } = value(block) as { protocols: object; actions: unknown };
      const whole = parse(exampleText("qemu-multinode.yaml")) as { actions: unknown };
      const isSame =
        JSON.stringify(outlineOf(actions)) === JSON.stringify(outlineOf(whole.actions));
      return [
        ...gate(inGroup({ protocols })),
        ...(isSame ? [] : ["the example has other actions"]),
      ];
    },
  },
  {
    name: "what an action asks of its group: the gate takes a job with it",
    takes: (block) => isYaml(block) && /^protocols:\n {2}[-\w]+:\n {2}- /.test(block.text),
    problems: (block) =>
      gate({ actions: [{ test: { ...AN_ACTION.test, ...(value(block) as object) } }] }),
  },
  {
    name: "a worker's environment: it is valid",
    takes: (block) => isYaml(block) && keysOf(block).includes("overrides"),
    problems: ({ text }) => readWorkerEnvironment(text).problems.map(({ message }) => message),
  },
  {
    name: "a part of a sign-in provider: it is valid with it",
    takes: (block) => isYaml(block) && keysOf(block).join() === "search",
    problems: (block) =>
      isOf(someSettingsSchema, {
        sign_in: {
          ldap: [{ name: "company", url: "ldap://ldap.example.org", ...(value(block) as object) }],
        },
      }),
  },
  {
    name: "a job: the gate takes it",
    takes: (block) =>
      isYaml(block) && keysOf(block).includes("actions") && keysOf(block).includes("job_name"),
    problems: ({ text }) =>
      readJobDefinition(text).problems.map(({ path: at, message }) => `${at}: ${message}`),
  },
  {
    name: "a test definition: it reads as one",
    takes: (block) =>
      isYaml(block) && keysOf(block).includes("metadata") && keysOf(block).includes("run"),
    problems: ({ text }) => readTestDefinition(text).problems.map(({ message }) => message),
  },
  {
    name: "actions of a job: gate and planner take a job with them",
    takes: (block) => {
      const parsed = value(block);
      const kinds = new Set([...Object.keys(METHODS), "command"]);
      return (
        isYaml(block) &&
        Array.isArray(parsed) &&
        parsed.every((one) => isMapping(one) && kinds.has(Object.keys(one)[0] ?? ""))
      );
    },
    problems: (block) => partProblems(value(block) as Part),
  },
  {
    name: "a part of a job: gate and planner take a job with it",
    takes: (block) =>
      isYaml(block) &&
      keysOf(block).length > 0 &&
      keysOf(block).every((key) => JOB_PARTS.includes(key)),
    problems: (block) => partProblems(value(block) as Part),
  },
  {
    name: "a part of a boot action: gate and planner take a job with it",
    takes: (block) => isYaml(block) && keysOf(block).join() === "transfer_overlay",
    problems: (block) => bootProblems(value(block) as Record<string, unknown>, "boot-u-boot"),
  },
  {
    name: "a step of a test: it reads as one",
    takes: (block) => {
      const parsed = value(block);
      return (
        isYaml(block) && Array.isArray(parsed) && parsed.every((one) => typeof one === "string")
      );
    },
    problems: (block) =>
      readTestDefinition({
        metadata: { format: "Lava-Test Test Definition 1.0", name: "x" },
        run: { steps: value(block) },
      }).problems.map(({ message }) => message),
  },
  {
    name: "settings of the lab: they are valid",
    takes: (block) =>
      isYaml(block) &&
      keysOf(block).length > 0 &&
      keysOf(block).every((key) => SETTINGS_NAMES.includes(key as never)),
    problems: (block) => isOf(someSettingsSchema, value(block)),
  },
  {
    name: "maintenance windows: they are valid",
    takes: (block) =>
      isYaml(block) &&
      keysOf(block).length > 0 &&
      Object.values(value(block) as object).every(
        (one) => isMapping(one) && ("weekly" in one || "from" in one),
      ),
    problems: (block) =>
      Object.values(value(block) as object).flatMap((one) => isOf(windowSchema, one)),
  },
  {
    name: "a result record: it is one",
    takes: (block) =>
      isYaml(block) && keysOf(block).includes("definition") && keysOf(block).includes("case"),
    problems: (block) => isOf(resultMessageSchema, value(block)),
  },
  {
    name: "the schema of a job, in an editor: the file or the route is there",
    takes: ({ text }) => text.startsWith("# yaml-language-server: $schema="),
    problems: ({ text }) => {
      const [, where = ""] = /\$schema=(\S+)/.exec(text) ?? [];
      const isThere =
        where.endsWith("/schemas/job.json") ||
        existsSync(path.join(root, where.replace("../pumice/", "")));
      return isThere ? [] : [`${where} is not there`];
    },
  },
  {
    name: "the configuration of another program: it is YAML",
    takes: (block) =>
      block.language === "yaml" &&
      ["runtimes", "services", "connection"].some((key) => keysOf(block)[0] === key),
    problems: (block) => (value(block) === undefined ? ["it is not YAML"] : []),
  },
  {
    name: "a device dictionary: it renders to a device",
    takes: ({ language, text }) => /^jinja2?$/.test(language) && text.startsWith("{% extends"),
    problems: ({ text }) => rendered(text),
  },
  {
    name: "lines of a dictionary: a device renders with them, and a job is planned on it",
    takes: ({ text }) => text.startsWith("{% set "),
    problems: ({ text }) => partProblems({}, "boot-u-boot", text),
  },
  {
    name: "JSON",
    takes: ({ language }) => language === "json",
    problems: ({ text }) => {
      try {
        JSON.parse(text);
        return [];
      } catch (error) {
        return [(error as Error).message];
      }
    },
  },
  {
    name: "Python: it compiles",
    takes: ({ language, text }) => language === "python" || /^import \w/.test(text),
    problems: ({ text }) => {
      const { status, stderr } = spawnSync(
        "python3",
        ["-c", "import sys; compile(sys.stdin.read(), 'example', 'exec')"],
        { input: text, encoding: "utf8" },
      );
      return status === 0 ? [] : [stderr.trim().split("\n").at(-1) ?? ""];
    },
  },
  {
    name: "a script for a board: a file of docs/examples, and good shell",
    takes: ({ language, text }) => language === "sh" && text.startsWith("#!"),
    problems: ({ text }) => shell(text),
  },
  {
    name: "steps of a test: good shell",
    takes: ({ language, text }) => language === "sh" && text.startsWith("lava-"),
    problems: ({ text }) => shell(text),
  },
  {
    name: "a file of variables: assignments, good shell",
    takes: ({ text }) =>
      text.split("\n").every((line) => /^(#.*|[A-Z_]+=("[^"]*"|\S*)|)$/.test(line)),
    problems: ({ text }) => shell(text),
  },
  {
    name: "commands: good shell, and commands, options, scripts and files that are there",
    takes: ({ language }) => language === "sh",
    problems: async ({ text }) => [...shell(text), ...(await commandProblems(text))],
  },
  {
    name: "what is only shown: output, a unit, a drawing",
    takes: ({ language }) => language === "text" || language === "ini",
    problems: () => [],
  },
];

export const kindOf = (block: Block): Kind | undefined => KINDS.find(({ takes }) => takes(block));

const COMMANDS = KINDS.find(({ name }) => name.startsWith("commands:"));

/** Whether a shell is to run it. */
export const isCommandBlock = (block: Block): boolean => kindOf(block) === COMMANDS;

/** What a shell says of it without running it. */
function shell(text: string): string[] {
  const { status, stderr } = spawnSync("sh", ["-n"], {
    input: text.replaceAll("...", ""),
    encoding: "utf8",
  });
  return status === 0 ? [] : [stderr.trim()];
}

/** The files of docs/examples that walk-throughs show: they stand in a page word by word. */
export const SHOWN = [
  "qemu/virt-01.jinja2",
  "uboot/board-01.jinja2",
  "uboot/job.yaml",
  "fastboot/phone-01.jinja2",
  "fastboot/job.yaml",
  "tests/network.yaml",
  "tests/network.sh",
];
export const exampleText = (name: string): string =>
  readFileSync(path.join(root, "docs/examples", name), "utf8");
