import { Unavailable } from "../../ports/unavailable.ts";

interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
  readonly $retryable?: { readonly throttling?: boolean };
}

const THROTTLING = new Set([
  "ProvisionedThroughputExceededException",
  "ProvisionedThroughputExceeded",
  "RequestLimitExceeded",
  "RequestThrottled",
  "SlowDown",
  "Throttling",
  "ThrottlingError",
  "ThrottlingException",
  "TransactionInProgressException",
]);
const CONNECTION = new Set(["TimeoutError", "NetworkingError", "AbortError"]);

export const isThrottling = (name: string | undefined): boolean => THROTTLING.has(name ?? "");

/** How often a request was sent before it ended like this. */
export const attemptsOf = (error: unknown): number => (error as SdkError).$metadata?.attempts ?? 1;

/** `Unavailable` when the service was too busy or away, after all retries; any other error as it is. */
export function translated(service: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, $metadata } = error as SdkError;
  const status = $metadata?.httpStatusCode ?? 0;
  const code = (error as NodeJS.ErrnoException).code;
  const isAway = status >= 500 || CONNECTION.has(name) || /^E[A-Z]+$/.test(code ?? "");
  if (!isAway && !isThrottling(name)) return error;
  return new Unavailable(`${service} did not answer: ${name}: ${error.message}`, { cause: error });
}
