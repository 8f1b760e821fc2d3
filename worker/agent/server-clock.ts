import { keepServerTime, wallClock } from "../host/server-time.ts";

/** A difference that is worth a line: certificates, logs and people's patience notice it. */
const WORTH_TELLING_MS = 30_000;

export interface ServerClock {
  /** An answer said that it is this time there: milliseconds since 1970, whole seconds. */
  readonly heard: (serverMs: number) => void;
  /** Milliseconds since 1970, by the server's clock when this machine's is far off. */
  readonly wall: () => number;
}

/** Compares this machine's clock with the control plane's; says once that they differ, and once that they agree again. */
export function watchServerClock(log: (line: string) => void): ServerClock {
  let isTold = false;
  let wall = wallClock();
  return {
    wall: () => wall(),
    heard: (wholeSecondMs) => {
      const serverMs = wholeSecondMs + 500;
      keepServerTime(serverMs);
      wall = wallClock();
      const now = Date.now();
      const isOff = Math.abs(serverMs - now) > WORTH_TELLING_MS;
      if (isOff !== isTold) {
        log(
          isOff
            ? `this machine's clock says ${timeOf(now)}, the control plane's ${timeOf(serverMs)}: set it (NTP). Jobs' logs have the control plane's time until then`
            : "this machine's clock agrees with the control plane's again",
        );
      }
      isTold = isOff;
    },
  };
}

const timeOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
