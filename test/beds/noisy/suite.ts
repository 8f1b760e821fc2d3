import type { TestDefinitionEntry } from "#protocol/job-actions.ts";
import { between, pick, seededRandom, type Random } from "./random.ts";

/** A result that a good run records, as its record has it; what depends on the clock is left out. */
export interface ExpectedResult {
  readonly definition: string;
  readonly case: string;
  readonly result: string;
  readonly measurement?: number;
  readonly units?: string;
  readonly set?: string;
  readonly reference?: string;
}

export interface Suite {
  readonly definitions: TestDefinitionEntry[];
  /** In the order in which a good run records them; the runs of the definitions themselves are among them. */
  readonly expected: readonly ExpectedResult[];
}

const CASES = 50;
const DEFINITIONS = 2;
const RESULTS = ["pass", "pass", "fail", "skip", "unknown"] as const;

/**
 * A suite of 50 cases with known results: given ones, with and without measurements, in sets and out of them, references,
 * commands that pass and fail, cases with output. `raises`: the last definition raises an error in its middle.
 */
export function makeSuite(seed: number, { raises = false } = {}): Suite {
  const random = seededRandom(seed, "suite");
  const expected: ExpectedResult[] = [];
  const definitions = Array.from({ length: DEFINITIONS }, (_, index) => {
    const name = pick(random, ["smoke", "kernel-selftests", "boot_times"]) + String(index);
    const isRaising = raises && index === DEFINITIONS - 1;
    const count = (CASES / DEFINITIONS) * (isRaising ? 0.5 : 1);
    const { steps, results } = someCases(random, `${index}_${name}`, Math.floor(count));
    expected.push(...results);
    if (isRaising)
      steps.push("lava-test-raise the suite gave up", "lava-test-case never --result pass");
    expected.push({
      definition: "lava",
      case: `${index}_${name}`,
      result: isRaising ? "fail" : "pass",
    });
    return inline(name, steps);
  });
  return { definitions, expected };
}

const inline = (name: string, steps: string[]): TestDefinitionEntry => ({
  from: "inline",
  name,
  path: `${name}.yaml`,
  repository: { metadata: { format: "Lava-Test Test Definition 1.0", name }, run: { steps } },
});

interface Cases {
  readonly steps: string[];
  readonly results: ExpectedResult[];
}

function someCases(random: Random, definition: string, count: number): Cases {
  const steps: string[] = [];
  const results: ExpectedResult[] = [];
  let set: string | undefined;
  for (let n = 1; n <= count; n++) {
    if (set === undefined && random() < 0.12) {
      set = `group-${n}`;
      steps.push(`lava-test-set start ${set}`);
    } else if (set !== undefined && random() < 0.3) {
      set = undefined;
      steps.push("lava-test-set stop");
    }
    const name = `${pick(random, ["case", "timer", "mmc-read"])}-${String(n).padStart(2, "0")}`;
    const one = pick(random, [
      given,
      given,
      given,
      measured,
      command,
      command,
      withFile,
      reference,
    ]);
    const made = one(random, name);
    steps.push(...made.steps);
    results.push({ definition, case: name, ...made.result, ...(set === undefined ? {} : { set }) });
  }
  if (set !== undefined) steps.push("lava-test-set stop");
  return { steps, results };
}

type Result = Pick<ExpectedResult, "result" | "measurement" | "units" | "reference">;
type MakeCase = (random: Random, name: string) => { steps: string[]; result: Result };

const given: MakeCase = (random, name) => {
  const result = pick(random, RESULTS);
  return { steps: [`lava-test-case ${name} --result ${result}`], result: { result } };
};

const measured: MakeCase = (random, name) => {
  const result = pick(random, RESULTS);
  const measurement = between(random, 1, 99_999) / 100;
  const units = pick(random, ["s", "MB/s", "seconds"]);
  const step = `lava-test-case ${name} --result ${result} --measurement ${measurement} --units ${units}`;
  return { steps: [step], result: { result, measurement, units } };
};

/** A command with output of its own, cut by nothing from its signals. */
const command: MakeCase = (random, name) => {
  const lines = between(random, 0, 4);
  const isGood = random() < 0.6;
  const output = `seq -f 'output %g of ${name}' ${lines}`;
  const step = `lava-test-case ${name} --shell "${output}; ${isGood ? "true" : "false"}"`;
  return { steps: [step], result: { result: isGood ? "pass" : "fail" } };
};

const withFile: MakeCase = (random, name) => {
  const result = pick(random, RESULTS);
  const steps = [
    `printf 'line of a file\\nwithout an end' >${name}.txt`,
    `lava-test-case ${name} --result ${result} --output ${name}.txt`,
  ];
  return { steps, result: { result } };
};

const reference: MakeCase = (random, name) => {
  const result = pick(random, ["pass", "fail"]);
  const url = `http://logs.example.com/${name}`;
  const step = `lava-test-reference ${name} --result ${result} --reference ${url}`;
  return { steps: [step], result: { result, reference: url } };
};
