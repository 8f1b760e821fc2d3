import { HttpError, type HttpClient, type HttpRequest } from "../host/http-client.ts";

/** A job in a ping's answer. */
export interface ListedJob {
  readonly id: number;
  readonly token: string;
}

/** What a LAVA server has this worker do (API.md 1.1). */
export interface WorkList {
  readonly start: readonly ListedJob[];
  readonly running: readonly ListedJob[];
  readonly cancel: readonly ListedJob[];
}

/** A job's files, each a text of YAML (API.md 1.3). */
export interface JobFiles {
  readonly definition: string;
  readonly device: string;
  readonly dispatcher: string;
  readonly env: string;
  readonly envDut: string;
}

export interface LavaCalls {
  ping(name: string, version: string, signal: AbortSignal): Promise<WorkList>;
  job(job: ListedJob, signal: AbortSignal): Promise<JobFiles>;
  /** Tells a job's state. */
  tell(job: ListedJob, form: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>;
  /** Sends lines of the log from `index` on, and says how many the server took. */
  logs(job: ListedJob, index: number, lines: string, signal: AbortSignal): Promise<number>;
  /** The server's version, where it says it. */
  version(signal: AbortSignal): Promise<string | undefined>;
  /** Lines of a job's log from a number on that the server has; undefined when it doesn't tell just anybody. */
  linesFrom(id: number, start: number, signal: AbortSignal): Promise<number | undefined>;
  /** The device of a job; empty when the server doesn't tell just anybody. */
  deviceOf(id: number, signal: AbortSignal): Promise<string>;
}

const TIMEOUT_MS = 60_000;
const MAX_LIST_BYTES = 4 * 1024 * 1024;
const MAX_JOB_BYTES = 32 * 1024 * 1024;
/** A connection of its own: of one that was kept nobody knows, when it breaks, whether the server has read the lines. */
const ONCE = { isOnce: true, headers: { connection: "close" } };
const INTERNAL = "scheduler/internal/v1";

/** LAVA's requests of a worker. All throw `HttpError`: 401 when it is the token that the server refuses, which LAVA says with 400. */
export function lavaCalls(http: HttpClient, workerToken: () => string): LavaCalls {
  async function ask(
    method: "GET" | "POST",
    url: string,
    token: string,
    signal: AbortSignal,
    form?: Readonly<Record<string, string>>,
    options: Partial<HttpRequest> = {},
  ): Promise<Record<string, unknown>> {
    const bytes = form && Buffer.from(new URLSearchParams(form).toString());
    const type = form && { "content-type": "application/x-www-form-urlencoded" };
    const headers = { "lava-token": token, ...type, ...options.headers };
    const bounds = { timeoutMs: TIMEOUT_MS, maxAnswerBytes: MAX_LIST_BYTES };
    const request = { method, url: `${INTERNAL}/${url}`, ...bounds, ...options, headers, signal };
    try {
      const answer = await http.request(bytes ? { ...request, bytes } : request);
      return (answer ?? {}) as Record<string, unknown>;
    } catch (error) {
      throw explained(error);
    }
  }
  const publicly = (url: string, answer: "json" | "text", signal: AbortSignal): Promise<unknown> =>
    http.request({ method: "GET", url: `api/v0.2/${url}`, answer, timeoutMs: TIMEOUT_MS, signal });

  return {
    async ping(name, version, signal) {
      const where = `workers/${encodeURIComponent(name)}/?version=${encodeURIComponent(version)}`;
      const { start, running, cancel } = await ask("GET", where, workerToken(), signal);
      return { start: listed(start), running: listed(running), cancel: listed(cancel) };
    },
    async job({ id, token }, signal) {
      const files = await ask("GET", `jobs/${id}/`, token, signal, undefined, {
        maxAnswerBytes: MAX_JOB_BYTES,
      });
      const text = (key: string): string =>
        typeof files[key] === "string" ? (files[key] as string) : "";
      const [definition, device, dispatcher] = ["definition", "device", "dispatcher"].map(text);
      return {
        definition,
        device,
        dispatcher,
        env: text("env"),
        envDut: text("env-dut"),
      } as JobFiles;
    },
    async tell({ id, token }, form, signal) {
      await ask("POST", `jobs/${id}/`, token, signal, form);
    },
    async logs({ id, token }, index, lines, signal) {
      const form = { lines, index: String(index) };
      const { line_count: count } = await ask(
        "POST",
        `jobs/${id}/logs/`,
        token,
        signal,
        form,
        ONCE,
      );
      if (typeof count !== "number") throw new Error("the answer to logs has no line_count");
      return count;
    },
    async version(signal) {
      const answer = await publicly("system/version/", "json", signal).catch(() => undefined);
      const { version } = (answer ?? {}) as { version?: unknown };
      return typeof version === "string" ? version : undefined;
    },
    async linesFrom(id, start, signal) {
      try {
        const text = await publicly(`jobs/${id}/logs/?start=${start}`, "text", signal);
        return String(text)
          .split("\n")
          .filter((line) => line !== "").length;
      } catch (error) {
        if (error instanceof HttpError && error.status >= 400 && error.status < 500)
          return undefined;
        throw error;
      }
    },
    async deviceOf(id, signal) {
      const job = await publicly(`jobs/${id}/`, "json", signal).catch(() => undefined);
      const { actual_device: device } = (job ?? {}) as { actual_device?: unknown };
      return typeof device === "string" ? device : "";
    },
  };
}

/** The server's own version in its refusal of another one. */
export function versionWanted(error: unknown): string | undefined {
  if (!(error instanceof HttpError) || error.status !== 409) return undefined;
  return /^Version mismatch '.*' vs '([^']{1,100})'$/.exec(saidIn(error))?.[1];
}

function listed(value: unknown): ListedJob[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (job: { id?: unknown; token?: unknown } | null) =>
      Number.isSafeInteger(job?.id) && Number(job?.id) > 0 && typeof job?.token === "string",
  ) as ListedJob[];
}

/** LAVA answers a wrong token with 400, as it does a wrong request. */
function explained(error: unknown): unknown {
  if (!(error instanceof HttpError)) return error;
  const said = saidIn(error);
  if (said === "") return error;
  const message = `the LAVA server says: ${said}`;
  const status = said.endsWith("'token'") ? 401 : error.status;
  return new HttpError(message, { status, body: error.body }, error);
}

function saidIn({ body }: HttpError): string {
  const { error } = (body ?? {}) as { error?: unknown };
  return typeof error === "string" ? error.slice(0, 500) : "";
}
