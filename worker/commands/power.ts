import { print, UsageError } from "./command-line.ts";

/** `pumice-worker power`: an outlet, switched by hand. */
export async function power(args: string[]): Promise<number> {
  const { POWER_DRIVERS, runPowerCommand } = await import("../drivers/power/power-command.ts");
  if (args.length === 0) {
    return print(
      Object.values(POWER_DRIVERS)
        .map(({ usage }) => `${usage}\n`)
        .join(""),
    );
  }
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  }
  const say = (line: string): void => void print(`${line}\n`);
  try {
    await runPowerCommand(args, { signal: stop.signal, say });
  } catch (error) {
    const { type, message } = error as { type?: unknown; message: string };
    if (type === "Configuration") throw new UsageError(message);
    throw type === "Infrastructure" ? new Error(message, { cause: error }) : error;
  }
  return 0;
}
