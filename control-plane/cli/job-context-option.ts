import { readYaml } from "#protocol/read-yaml.ts";
import { UsageError } from "./command.ts";

/** What `--context` gives: the variables of a job's context. */
export function contextOf(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  const { value, problems } = readYaml(text);
  const [problem] = problems;
  if (problem) throw new UsageError(`--context: ${problem.message}`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError("--context: expected a mapping such as {arch: arm64}");
  }
  return value as Record<string, unknown>;
}
