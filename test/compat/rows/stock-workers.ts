import type { Row } from "../row.ts";

const BASE = "/scheduler/internal/v1";
const rules = { surface: "Stock workers", test: "test/lava/stock-worker.test.ts" } as const;
const real = { surface: "Stock workers", test: "test/compat/lava-worker.compat.test.ts" } as const;

/** What LAVA's own worker asks and does. */
export const STOCK_WORKERS_ROWS: readonly Row[] = [
  {
    ...rules,
    ...{ name: `GET ${BASE}/workers/:name/`, state: "works", called: "/workers/bench/?version=" },
    about: "ping and list of work; versions by rule (setting `stock_workers`)",
  },
  {
    ...rules,
    ...{ name: `POST ${BASE}/workers/`, state: "works", called: '"/workers/"' },
    about: "from networks of the setting, or by an administrator's name with password or token",
  },
  {
    ...rules,
    ...{ name: `GET ${BASE}/jobs/:id/`, state: "works", called: "/jobs/${job.id}/`, job.token)" },
    about: "a job that was lost is not begun again: it is Incomplete, or retried",
  },
  {
    ...rules,
    ...{ name: `POST ${BASE}/jobs/:id/ RUNNING`, state: "works", called: "RUNNING" },
    about: "",
  },
  {
    ...rules,
    ...{ name: `POST ${BASE}/jobs/:id/ FINISHED`, state: "works", called: "FINISHED" },
    about: "counts once",
  },
  {
    ...rules,
    ...{ name: `POST ${BASE}/jobs/:id/logs/`, state: "works", called: "/logs/`" },
    about: "each line and each result once, however often they are sent",
  },
  {
    ...real,
    ...{ name: "lava-worker 2023.01", state: "works", called: "runs a QEMU job" },
    about:
      "a real one runs a QEMU job; restart of either side, cancel, version mismatch, registration",
  },
  {
    ...real,
    ...{ name: "lava-worker --ws-url", state: "works", called: "--ws-url" },
    about: "asks at once when it has something to do; with its token in the URL",
  },
  {
    ...rules,
    ...{ name: "multinode jobs", state: "absent", called: "gets no multinode jobs" },
    about: "they need a lava-coordinator: groups get devices of our own workers only",
  },
];
