import { OLDEST_WORKER_PROTOCOL, WORKER_PROTOCOL } from "#protocol/worker-api.ts";

/** Whether workers of this protocol version are given jobs. */
export const isServed = (protocol: number): boolean =>
  protocol >= OLDEST_WORKER_PROTOCOL && protocol <= WORKER_PROTOCOL;

/** The window, for people. */
export const SERVED =
  OLDEST_WORKER_PROTOCOL === WORKER_PROTOCOL
    ? `version ${WORKER_PROTOCOL}`
    : `versions ${OLDEST_WORKER_PROTOCOL} to ${WORKER_PROTOCOL}`;

/** Why a worker of another protocol gets no jobs, and what to do; undefined for one that gets them. */
export function protocolNotice(protocol: number, version: string): string | undefined {
  if (isServed(protocol)) return undefined;
  const isOld = protocol < OLDEST_WORKER_PROTOCOL;
  return `gets no new jobs: its version ${version} speaks version ${protocol} of the worker protocol, this control plane ${SERVED}; ${isOld ? "upgrade the worker" : "upgrade the control plane, or give the worker an older version"}`;
}
