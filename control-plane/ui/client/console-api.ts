import type { Problem } from "#protocol/api.ts";

const PATIENCE_MS = 40_000;

/** An answer that asking again will not change. */
export class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Asks the lab's API with the page's session; a file goes as it is, anything else as JSON. Throws `Refusal`, or another error where asking again may help. */
export async function ask<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const answer = await fetch(`/api/v1${path}`, {
    method,
    signal: signal ? AbortSignal.any([signal, patience]) : patience,
    ...(body === undefined ? {} : { body: body instanceof Blob ? body : JSON.stringify(body) }),
  });
  if (answer.status === 204) return undefined as T;
  const isJson = answer.headers.get("content-type")?.includes("json") ?? false;
  const said: unknown = isJson ? await answer.json() : undefined;
  if (answer.ok) return said as T;
  if (answer.status === 401) throw new Refusal(401, "Your session has ended: sign in again");
  const message = (said as Problem | undefined)?.message ?? `status ${answer.status}`;
  const isPassing = answer.status >= 500 || answer.status === 429;
  throw isPassing ? new Error(message) : new Refusal(answer.status, message);
}

/** Until the time is over or the signal is aborted. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Before trying again after so many failures in a row; not all windows at the same time. */
export const backOffMs = (failures: number): number =>
  Math.min(10_000, 250 * 2 ** failures) * (0.75 + Math.random() / 2);
