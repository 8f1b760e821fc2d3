import { uptime } from "node:os";

/**
 * Tells this process and those that it starts what time the control plane has: when this machine was started, milliseconds
 * since 1970 by the control plane's clock. Nobody who sets this machine's clock changes that.
 */
const BOOT_VARIABLE = "PUMICE_SERVER_BOOT_MS";
/** Nearer than this, this machine's own clock is as good, and finer. */
const FAR_MS = 60_000;

/** Keeps the control plane's time, for `wallClock` here and in programs that are started from now on. */
export function keepServerTime(serverMs: number, env: NodeJS.ProcessEnv = process.env): void {
  env[BOOT_VARIABLE] = String(Math.round(serverMs - uptime() * 1000));
}

/**
 * A clock in milliseconds since 1970: this machine's, or, while that is more than a minute off, the control plane's by what
 * is known of it when this is called.
 */
export function wallClock(env: NodeJS.ProcessEnv = process.env): () => number {
  const boot = Number(env[BOOT_VARIABLE] || NaN);
  const origin = boot + uptime() * 1000 - performance.now();
  return () => {
    const local = Date.now();
    const served = origin + performance.now();
    return Math.abs(served - local) > FAR_MS ? served : local;
  };
}
