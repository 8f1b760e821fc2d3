import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { checkJob, validateJob } from "#protocol/check-job.ts";

const corpus = path.resolve(import.meta.dirname, "../../../shared/corpus/jobs");

type Verdict = "ok" | "invalid" | "crash";
interface Verdicts {
  submit: Verdict;
  lenient: Verdict;
  strict: Verdict;
}

describe.skipIf(!existsSync(corpus))(
  "LAVA's own jobs (skipped when ../shared is absent: they are not part of this repository)",
  () => {
    const read = (name: string) => readFileSync(path.join(corpus, name), "utf8");
    const verdicts = existsSync(corpus)
      ? (JSON.parse(read("verdicts.json")) as Record<string, Verdicts>)
      : {};

    test.each([
      ["the gate at submission", "submit", (text: string) => checkJob(text).problems],
      ["the lenient schema", "lenient", (text: string) => validateJob(text, "lenient").problems],
      ["the strict schema", "strict", (text: string) => validateJob(text, "strict").problems],
    ] as const)("get LAVA's verdict from %s", (_, strength, problemsOf) => {
      const files = readdirSync(corpus).filter((name) => name.endsWith(".yaml"));
      const wrong = files.flatMap((name) => {
        const problems = problemsOf(read(name));
        const wanted = verdicts[name]?.[strength];
        // Where LAVA itself fell over no job can have run: refusing it loses nothing.
        const isWell = (problems.length === 0) === (wanted === "ok");
        return isWell ? [] : [{ name, wanted, problems }];
      });
      const right = files.length - wrong.length;
      console.log(`${strength}: LAVA's verdict for ${right} of ${files.length} jobs`);
      expect(files.length).toBeGreaterThan(0);
      expect(wrong).toEqual([]);
    });
  },
);
