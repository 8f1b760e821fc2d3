import type { Row } from "./row.ts";
import { EVENTS_ROWS } from "./rows/events.ts";
import { KERNELCI_ROWS } from "./rows/kernelci.ts";
import { LAVACLI_ROWS } from "./rows/lavacli.ts";
import { REST_ROWS } from "./rows/rest.ts";
import { OUR_WORKER_ROWS, STOCK_WORKERS_ROWS } from "./rows/stock-workers.ts";
import { WEB_URLS_ROWS } from "./rows/web-urls.ts";
import { XMLRPC_ROWS } from "./rows/xmlrpc.ts";

/** All of LAVA's surfaces, thing by thing; docs/compatibility.md is made of it. */
export const COMPATIBILITY: readonly Row[] = [
  ...XMLRPC_ROWS,
  ...LAVACLI_ROWS,
  ...REST_ROWS,
  ...WEB_URLS_ROWS,
  ...STOCK_WORKERS_ROWS,
  ...OUR_WORKER_ROWS,
  ...EVENTS_ROWS,
  ...KERNELCI_ROWS,
];
