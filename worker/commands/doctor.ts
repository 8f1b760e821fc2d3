import { parse, UsageError } from "./command-line.ts";

/** `pumice-worker doctor`: what this machine lacks. */
export async function doctor(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, { settings: { type: "string" } });
  if (positionals.length > 0) throw new UsageError("doctor: expected options only");
  const { runDoctor } = await import("../doctor.ts");
  return runDoctor(values.settings, (line) => process.stdout.write(`${line}\n`));
}
