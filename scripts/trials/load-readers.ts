import { setTimeout as sleep } from "node:timers/promises";
import type { LogPage } from "#protocol/api.ts";
import { keptConnections, signalUnder, type Http } from "./load-http.ts";
import type { Plane } from "./load-plane.ts";
import { failed, note, type Trial } from "./load-trial.ts";
import { CHUNKS, LINES_A_CHUNK } from "./simulated-worker.ts";

/** A browser's session, as somebody with a token gets it: the cookie. */
export async function signIn({ url, adminToken: token }: Plane): Promise<string> {
  const answer = await fetch(`${url}/sign-in`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: url, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ token }),
  });
  await answer.arrayBuffer();
  const cookie = answer.headers.getSetCookie().map((one) => one.split(";")[0]!);
  if (cookie.length === 0) throw new Error(`signing in was answered with ${answer.status}`);
  return cookie.join("; ");
}

async function readPage({ ask }: Http, where: string, cookie: string): Promise<void> {
  const { status, text } = await ask(where, { headers: { cookie } });
  if (status !== 200) throw new Error(`the page was answered with ${status}`);
  if (!text.includes("</html>")) throw new Error("the page is not whole");
}

/** Somebody who looks at lists, jobs, results, the queue and their pages, one after the other, a second between. */
export async function reader(trial: Trial, cookie: string, signal: AbortSignal): Promise<void> {
  const { client, plane, times, submitted } = trial;
  const http = keptConnections(plane.url);
  const looks: [string, () => string][] = [
    ["list of jobs", () => "/jobs?limit=50"],
    ["queue", () => "/queue?device_type=qemu"],
    ["list of devices", () => "/devices?limit=50"],
    ["job", () => `/jobs/${anyOf(submitted)}`],
    ["results", () => `/jobs/${anyOf(submitted)}/results`],
    ["log", () => `/jobs/${anyOf(submitted)}/log`],
  ];
  const pages: [string, () => string][] = [
    ["page of a job", () => `/jobs/${anyOf(submitted)}`],
    ["page of the queue", () => "/queue"],
    ["page of jobs", () => "/"],
  ];
  const all = [
    ...looks.map(([name, where]) => ({ name, look: () => client.json("GET", where()) })),
    ...pages.map(([name, where]) => ({ name, look: () => readPage(http, where(), cookie) })),
  ];
  // Not all at the same place.
  for (let n = Math.floor(Math.random() * all.length); !signal.aborted; n++) {
    const { name, look } = all[n % all.length]!;
    if (submitted.length > 0) {
      const begin = performance.now();
      try {
        await look();
        times.add(name, performance.now() - begin);
      } catch (error) {
        failed(trial, name, error);
      }
    }
    await sleep(500 + Math.random() * 1000, undefined, { signal }).catch(() => {});
  }
}

/** Follows the log of a job that runs to its end, as a browser does, then of another one. */
export async function follower(trial: Trial, stop: AbortSignal): Promise<void> {
  const signal = signalUnder(stop);
  const { client, running, times } = trial;
  while (!signal.aborted) {
    const id = anyOf([...running]);
    if (id === undefined) {
      await sleep(200, undefined, { signal }).catch(() => {});
      continue;
    }
    try {
      let lines = 0;
      for (let isOver = false; !isOver && !signal.aborted;) {
        const begin = performance.now();
        const page: LogPage = await client.json(
          "GET",
          `/jobs/${id}/log?start=${lines}&wait=20`,
          undefined,
          signal,
        );
        if (lines === 0) times.add("first look at a log", performance.now() - begin);
        lines += page.records.length;
        isOver = page.complete;
      }
      if (!signal.aborted && lines !== LINES_A_CHUNK * CHUNKS) {
        note(trial.errors, `a follower saw ${lines} lines`);
      }
    } catch (error) {
      if (!signal.aborted) failed(trial, "follow", error);
    }
  }
}

const anyOf = <T>(list: readonly T[]): T | undefined =>
  list[Math.floor(Math.random() * list.length)];
