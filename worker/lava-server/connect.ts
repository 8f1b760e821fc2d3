import path from "node:path";
import type { Surroundings } from "../agent/agent.ts";
import { listenForEvents } from "./event-socket.ts";
import { jobNotes } from "./job-notes.ts";
import { lavaCalls } from "./lava-calls.ts";
import { LavaControlPlane } from "./lava-control-plane.ts";

export interface LavaServer {
  readonly url: string;
  /** The worker's name there. */
  readonly name: string;
  /** That the server shall hear; undefined: its own, which it says. */
  readonly version?: string | undefined;
  readonly pingSeconds: number;
  /** Where its events are; undefined: `/ws/` of the server. */
  readonly eventUrl?: string | undefined;
}

/** The agent's far side when that is a stock LAVA server. */
export const lavaServer =
  (server: LavaServer) =>
  ({ http, token, workDir, clock, log, signal }: Surroundings): LavaControlPlane => {
    const { name, version, pingSeconds, url, eventUrl = eventsAt(url) } = server;
    const notes = jobNotes(path.join(workDir, "lava-server"));
    const calls = lavaCalls(http, token);
    const controlPlane = new LavaControlPlane({
      calls,
      notes,
      clock,
      log,
      name,
      version,
      pingSeconds,
    });
    const { ring } = controlPlane;
    void listenForEvents({ url: eventUrl, name, ring, clock, log }, signal);
    return controlPlane;
  };

/** Where stock workers listen. */
const eventsAt = (url: string): string =>
  new URL("ws/", `${url.replace(/\/*$/, "")}/`).href.replace(/^http/, "ws");
