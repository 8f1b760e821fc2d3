import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { readTestDefinition } from "#protocol/test-definition.ts";
import { environmentFile } from "../../worker/overlay/environment.ts";
import { installScript, runScript } from "../../worker/overlay/run-script.ts";
import { shellQuote } from "../../worker/overlay/shell-quote.ts";
import { testShell } from "../../worker/overlay/test-shell.ts";
import { aJobContext } from "../support/plan-of.ts";
import { fc } from "../support/property.ts";

const shell = (script: string): string =>
  spawnSync("/bin/sh", { input: script, encoding: "utf8" }).stdout;

describe("the environment file", () => {
  test("has exports in order, flattened, with LAVA's forms of values", () => {
    const { text, refused } = environmentFile([
      ["PLAIN", "a/b-c.d"],
      ["QUOTED", "it's $HOME"],
      ["YES", true],
      ["NO", false],
      ["NUMBER", 3],
      ["NONE", null],
      ["LAVA_DEVICE_INFO", [{ board_id: "7", "no-name": 1 }]],
      ["1BAD", "x"],
    ]);
    expect(text).toBe(`export PLAIN=a/b-c.d
export QUOTED='it'\\''s $HOME'
export YES=1
export NO=0
export NUMBER=3
export NONE=''
export LAVA_DEVICE_INFO_0_board_id=7
`);
    expect(refused).toEqual(["LAVA_DEVICE_INFO_0_no-name", "1BAD"]);
  });

  test("brings any text through a shell unchanged", () => {
    const texts = fc.array(
      fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")),
      {
        minLength: 20,
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(texts, (values) => {
        expect(shell(values.map((text) => `printf '%s\\n' ${shellQuote(text)}\n`).join(""))).toBe(
          values.map((text) => `${text}\n`).join(""),
        );
      }),
      { numRuns: 20 },
    );
  });
});

function contextOf(source: string, jobParameters: Record<string, unknown> = {}) {
  const { definition } = readTestDefinition(
    `metadata: {format: Lava-Test Test Definition 1.0, name: x}\n${source}`,
  );
  if (!definition) throw new Error("the definition is wrong");
  return {
    definition,
    jobParameters,
    testrunId: "0_x",
    testDir: "/lava-7/0/tests/0_x",
    lavaDir: "/lava-7",
  };
}

describe("run.sh", () => {
  const plain = { kmsg: false, characterDelaySeconds: undefined };

  test("is LAVA's, line by line, but for who prints its signals", () => {
    const context = contextOf("params: {A: one}\nrun: {steps: [echo $A, null, echo done]}", {
      B: 2,
    });
    expect(runScript(context, plain)).toBe(`###default parameters from test definition###
A='one'
######
###test parameters from job submission###
B='2'
######
set -e
set -x
export TESTRUN_ID=0_x
cd /lava-7/0/tests/0_x
UUID="$(cat uuid)"
set +x
/lava-7/bin/lava-signal "<LAVA_SIGNAL_STARTRUN $TESTRUN_ID $UUID>" || echo "<LAVA_SIGNAL_STARTRUN $TESTRUN_ID $UUID>"
set -x
echo $A
echo done
set +x
/lava-7/bin/lava-signal "<LAVA_SIGNAL_ENDRUN $TESTRUN_ID $UUID>" || echo "<LAVA_SIGNAL_ENDRUN $TESTRUN_ID $UUID>"
`);
  });

  test("gives parameters to the steps whatever is in them", () => {
    const context = contextOf("params: {A: default, EMPTY: null}\nrun: {steps: []}", {
      A: 'it\'s "quoted" $HOME `id` \\',
      FLAG: true,
      "no-variable": "x",
    });
    const header = runScript(context, plain).split("set -e\n")[0] ?? "";
    const shown = shell(`${header}printf '%s|' "$A" "$EMPTY" "$FLAG"`);
    expect(shown).toBe('it\'s "quoted" $HOME `id` \\||True|');
  });

  test("leaves $1 of a helper's command to the command", () => {
    const context = contextOf(
      `run: {steps: ["lava-test-case a --shell awk '{print $1}'", "echo $1"]}`,
    );
    const text = runScript(context, plain);
    expect(text).toContain("awk '{print \\$1}'\necho $1\n");
  });

  test("marks its run in the kernel's log when the job asks for that, after the delay", () => {
    const text = runScript(contextOf('parse: {pattern: "(?P<test_case_id>x)"}\nrun: {steps: []}'), {
      kmsg: true,
      characterDelaySeconds: 0.1,
    });
    expect(text).toContain(`set +x
export CHARACTER_DELAY=0.1
# USE_KMSG
export KMSG=true
/lava-7/bin/lava-signal "<LAVA_SIGNAL_STARTRUN $TESTRUN_ID $UUID>" --wait ||`);
  });
});

describe("install.sh", () => {
  const source = `
install:
  keys: [KEY]
  sources: ["deb http://x y main"]
  deps: [one]
  deps-debian: [two]
  steps: [make]
run: {steps: []}`;
  const body = (os: string | undefined, ...skip: string[]): string =>
    (installScript(contextOf(source), os, new Set(skip)) ?? "").replace(/^[^]*######\n/, "");

  test("installs what the definition and its distribution need", () => {
    expect(body("debian")).toBe(`lava-add-keys KEY || exit 1
lava-add-sources "deb http://x y main" || exit 1
lava-install-packages one two || exit 1
cd /lava-7/0/tests/0_x
pwd
make
`);
    expect(body("fedora")).toContain("lava-install-packages one ||");
  });

  test("leaves out what the job skips", () => {
    expect(body("debian", "deps", "keys", "sources")).toBe("cd /lava-7/0/tests/0_x\npwd\nmake\n");
    expect(body("debian", "all")).toBe("cd /lava-7/0/tests/0_x\npwd\n");
  });

  test("is not there for a definition that installs nothing", () => {
    expect(installScript(contextOf("run: {steps: []}"), "debian", new Set())).toBeUndefined();
  });
});

describe("the test shell of a deployment", () => {
  const job = (context: Record<string, string> = {}) => aJobContext({ context });

  test("has the shell and folder of its os, and the job's context wins", () => {
    expect(testShell(job(), undefined)).toMatchObject({ shell: "/bin/sh", lavaDir: "/lava-7" });
    expect(testShell(job(), "debian").shell).toBe("/bin/bash");
    expect(testShell(job(), "lede")).toMatchObject({
      lavaDir: "/tmp/lava-results-7",
      shellFile: undefined,
    });
    const own = job({ lava_test_results_dir: "/data/%s/lava" });
    expect(testShell(own, "lede").lavaDir).toBe("/data/7/lava");
  });

  test.each(["/lava", "lava-%s", "/a/../%s", "/$(id)-%s", "/a b/%s", "/%s;reboot"])(
    "refuses the folder %s",
    (folder) => {
      expect(() => testShell(job({ lava_test_results_dir: folder }), undefined)).toThrow(
        "lava_test_results_dir",
      );
    },
  );
});
