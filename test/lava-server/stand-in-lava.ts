import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface StandInJob {
  token: string;
  state: "Scheduled" | "Running" | "Canceling" | "Finished";
  definition: string;
  /** As the server stores it, and each results record as often as it came. */
  log: string[];
  results: number;
  end?: URLSearchParams;
}

/** A LAVA server as API.md 1 has it: what it answers to a worker, right and wrong. */
export async function standInLava() {
  const jobs = new Map<number, StandInJob>();
  const asked: string[] = [];
  /** Done to the next post of lines: `lost`, the server never got it; `unheard`, its answer was lost. */
  let fault: "lost" | "unheard" | "broken" | undefined;
  let version = "2023.01";
  let isPublic = true;
  const token = "worker-token";
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown): void => {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      response.writeHead(status, { "content-type": "application/json" }).end(text);
    };
    const url = new URL(request.url ?? "", "http://lava");
    asked.push(`${request.method} ${url.pathname}`);
    const form = new URLSearchParams(await bodyOf(request));
    const id = Number(/\/jobs\/(\d+)\//.exec(url.pathname)?.[1]);
    const job = jobs.get(id);
    if (url.pathname.endsWith("/system/version/")) return answer(200, { version });
    if (url.pathname.startsWith("/api/")) {
      if (!isPublic || !job) return answer(404, { detail: "Not found." });
      if (!url.pathname.endsWith("/logs/")) return answer(200, { actual_device: "board-1" });
      const lines = job.log.slice(Number(url.searchParams.get("start")));
      return answer(200, lines.map((line) => `${line}\n`).join(""));
    }
    if (url.pathname.includes("/workers/")) {
      if (request.headers["lava-token"] !== token) return answer(400, { error: "Invalid 'token'" });
      const said = url.searchParams.get("version");
      if (said !== version) {
        return answer(409, { error: `Version mismatch '${said}' vs '${version}'` });
      }
      const of = (state: string) =>
        [...jobs]
          .filter(([, one]) => one.state === state)
          .map(([n, one]) => ({ id: n, token: one.token }));
      return answer(200, {
        start: of("Scheduled"),
        running: of("Running"),
        cancel: of("Canceling"),
      });
    }
    if (!job) return answer(404, { error: `Unknown job '${id}'` });
    if (request.headers["lava-token"] !== job.token)
      return answer(400, { error: "Invalid 'token'" });
    if (request.method === "GET") {
      const { definition } = job;
      return answer(200, { definition, device: "{}", dispatcher: null, env: "", "env-dut": "" });
    }
    if (url.pathname.endsWith("/logs/")) {
      const now = fault;
      fault = undefined;
      if (now === "lost") return void request.socket.destroy();
      if (now === "broken") return answer(500, "<html>Server Error</html>");
      const lines = (form.get("lines") ?? "").split("\n");
      const index = Number(form.get("index"));
      job.results += lines.filter((line) => line.includes('"lvl":"results"')).length;
      job.log.push(...lines.slice(Math.max(0, job.log.length - index)));
      if (now === "unheard") return void request.socket.destroy();
      return answer(200, { line_count: lines.length });
    }
    if (form.get("state") === "RUNNING") {
      if (job.state === "Scheduled") job.state = "Running";
      return answer(200, {});
    }
    job.state = "Finished";
    job.end ??= form;
    return answer(200, {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    ...{ jobs, asked, token },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    next: (what: typeof fault) => void (fault = what),
    becomes: (other: string) => void (version = other),
    hide: () => void (isPublic = false),
    add(id: number, more: Partial<StandInJob> = {}): StandInJob {
      const definition = "device_type: board\njob_name: x\n";
      const job: StandInJob = {
        token: `job-${id}`,
        state: "Scheduled",
        definition,
        log: [],
        results: 0,
        ...more,
      };
      jobs.set(id, job);
      return job;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}
