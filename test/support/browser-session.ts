import type { RunnerReport } from "#protocol/worker-api.ts";
import { aJob } from "./builders.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";

export interface BrowserSession {
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** Sends a form from a page of the lab, or, with other headers, from elsewhere. */
  post(
    path: string,
    form?: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<Response>;
}

/** A browser without scripts that is signed in as who has the token, the administrator when not given. */
export async function browserSession(
  lab: EmbeddedLab,
  token = lab.adminToken,
): Promise<BrowserSession> {
  const page = { accept: "text/html", cookie: "" };
  const own = { "sec-fetch-site": "same-origin" };
  const session: BrowserSession = {
    get: async (path, headers = {}) => lab.app.request(path, { headers: { ...page, ...headers } }),
    post: async (path, form = {}, headers = own) =>
      lab.app.request(path, {
        method: "POST",
        headers: { ...page, ...headers },
        body: new URLSearchParams(form).toString(),
      }),
  };
  const answer = await session.post("/sign-in", { token });
  page.cookie = (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  return session;
}

/** Submits a job and has a worker take it: Running, with the token that ships its log. */
export async function runningJob(
  lab: EmbeddedLab,
  workerToken: string,
  options: Parameters<typeof aJob>[0] = {},
): Promise<{ id: number; token: string; report: RunnerReport }> {
  await lab.sync(workerToken);
  const id = await lab.submit(aJob(options));
  const { start } = await lab.sync(workerToken);
  const token = start.find(({ job_id }) => job_id === id)!.token;
  const report = { job_id: id, state: "running" } as const;
  await lab.sync(workerToken, [report]);
  return { id, token, report };
}
