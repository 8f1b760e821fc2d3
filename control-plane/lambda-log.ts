const LEVELS = ["debug", "info", "error"] as const;
type Level = (typeof LEVELS)[number];

let invocation: string | undefined;

/** Lines from now on name this invocation; an environment has one at a time. */
export function logFor(awsRequestId: string): void {
  invocation = awsRequestId;
}

/**
 * One line of JSON for CloudWatch: `timestamp` and `level` as Lambda's own log filter wants them, `message`, `invocation`
 * (Lambda's request id), and the context. What is below `PUMICE_LOG_LEVEL` (debug, info or error; info unless told) is left
 * out.
 */
export function log(level: Level, message: string, context: Record<string, unknown> = {}): void {
  const least = LEVELS.indexOf((process.env["PUMICE_LOG_LEVEL"] ?? "").toLowerCase() as Level);
  if (LEVELS.indexOf(level) < (least === -1 ? LEVELS.indexOf("info") : least)) return;
  const line = {
    timestamp: new Date().toISOString(),
    level: level.toUpperCase(),
    message,
    invocation,
    ...context,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
