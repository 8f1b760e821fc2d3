import type { TestDefinition } from "#protocol/test-definition.ts";
import { isVariableName } from "./environment.ts";

export interface ScriptContext {
  readonly definition: TestDefinition;
  /** `parameters` of the job's entry: they win over the definition's own. */
  readonly jobParameters: Readonly<Record<string, unknown>>;
  readonly testrunId: string;
  /** Folder of the definition on the DUT. */
  readonly testDir: string;
  /** `$L` there. */
  readonly lavaDir: string;
}

/** The script that runs the tests of a definition on the DUT (TEST-SHELL.md 4). */
export function runScript(
  context: ScriptContext,
  options: { kmsg: boolean; characterDelaySeconds: number | undefined },
): string {
  const { definition, testrunId, testDir, lavaDir } = context;
  // By its path, as tests set PATH; and when tests have broken the system, the shell itself can still say it.
  const mark = (kind: string, option = ""): string => {
    const line = `"<LAVA_SIGNAL_${kind} $TESTRUN_ID $UUID>"`;
    return `${lavaDir}/bin/lava-signal ${line}${option} || echo ${line}`;
  };
  const delay = options.characterDelaySeconds;
  return lines([
    ...parameterLines(context),
    "set -e",
    "set -x",
    `export TESTRUN_ID=${testrunId}`,
    `cd ${testDir}`,
    'UUID="$(cat uuid)"',
    "set +x",
    ...(delay === undefined ? [] : [`export CHARACTER_DELAY=${delay}`]),
    ...(options.kmsg ? ["# USE_KMSG", "export KMSG=true"] : []),
    mark("STARTRUN", definition.parse?.pattern ? " --wait" : ""),
    "set -x",
    ...words(definition.run?.steps).map(runStep),
    "set +x",
    mark("ENDRUN"),
  ]);
}

/** The script that prepares the DUT for a definition; undefined when it asks for nothing. */
export function installScript(
  context: ScriptContext,
  os: string | undefined,
  skip: ReadonlySet<string>,
): string | undefined {
  const { install } = context.definition;
  if (install === undefined) return undefined;
  const skips = (what: string): boolean => skip.has(what) || skip.has("all");
  const packages = [...words(install.deps), ...(os === undefined ? [] : depsOf(install, os))];
  return lines([
    ...parameterLines(context),
    ...(skips("keys") ? [] : words(install.keys).map((key) => `lava-add-keys ${key} || exit 1`)),
    ...(skips("sources")
      ? []
      : words(install.sources).map(
          (source) => `lava-add-sources ${doubleQuoted(source)} || exit 1`,
        )),
    ...(skips("deps") || packages.length === 0
      ? []
      : [`lava-install-packages ${packages.join(" ")} || exit 1`]),
    `cd ${context.testDir}`,
    "pwd",
    ...(skips("steps") ? [] : words(install.steps)),
  ]);
}

/** A source is one word with spaces in it, and may name parameters. */
const doubleQuoted = (text: string): string => `"${text.replaceAll('"', '\\"')}"`;

const words = (list: readonly string[] | null | undefined): string[] =>
  (list ?? []).filter((word) => word !== "");

function depsOf(install: Readonly<Record<string, unknown>>, os: string): string[] {
  const list = install[`deps-${os}`];
  return Array.isArray(list) ? words(list.map(String)) : [];
}

/** Plain shell variables, not exported; the job's come last and win. */
function parameterLines({ definition, jobParameters }: ScriptContext): string[] {
  return [
    "###default parameters from test definition###",
    ...assignments({ ...definition.params, ...definition.parameters }),
    "######",
    "###test parameters from job submission###",
    ...assignments(jobParameters),
    "######",
  ];
}

function assignments(parameters: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(parameters)
    .filter(([name]) => isVariableName(name))
    .map(([name, value]) => `${name}='${parameterText(value).replaceAll("'", `'\\''`)}'`);
}

/** As LAVA writes a value of YAML: null is nothing, booleans are Python's words. */
function parameterText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value === true) return "True";
  if (value === false) return "False";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** In the arguments of a helper's command a `$1` is the command's, not the script's. */
const runStep = (step: string): string =>
  /--(cmd|shell)/.test(step) ? step.replace(/\$(\d+)/g, "\\$$$1") : step;

const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join("");
