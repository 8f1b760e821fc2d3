import type { Row } from "../row.ts";

const BASE = "/scheduler/internal/v1";
const works = (name: string, about = ""): Row => ({
  ...{ surface: "Stock workers", state: "works", name, about },
});

/** What LAVA's own worker asks and does. */
export const STOCK_WORKERS_ROWS: readonly Row[] = [
  works(
    `GET ${BASE}/workers/:name/`,
    "ping and list of work; versions by rule (setting `stock_workers`)",
  ),
  works(
    `POST ${BASE}/workers/`,
    "from networks of the setting, or by an administrator's name with password or token",
  ),
  works(
    `GET ${BASE}/jobs/:id/`,
    "a job that was lost is not begun again: it is Incomplete, or retried",
  ),
  works(`POST ${BASE}/jobs/:id/ RUNNING`),
  works(`POST ${BASE}/jobs/:id/ FINISHED`, "counts once"),
  works(
    `POST ${BASE}/jobs/:id/logs/`,
    "each line and each result once, however often they are sent",
  ),
  works(
    "lava-worker 2023.01",
    "a real one runs a QEMU job; restart of either side, cancel, version mismatch, registration",
  ),
  works(
    "lava-worker --ws-url",
    "asks at once when it has something to do; with its token in the URL",
  ),
  works("health checks", "run as any other job of its device, and say whether that is in order"),
  works(
    "multinode jobs",
    "where `pumice serve` has `--coordinator`, among themselves and with workers of ours; without it they get none",
  ),
];

/** `pumice-worker start --protocol lava`. */
export const OUR_WORKER_ROWS: readonly Row[] = [
  {
    ...{ surface: "Our worker at LAVA", name: "lava-server 2023.01", state: "works" },
    about: "a real one has a QEMU job run; restart of either side, cancel, a job that was lost",
  },
  {
    ...{ surface: "Our worker at LAVA", name: "its event stream", state: "works" },
    about: "a job begins at once",
  },
];
