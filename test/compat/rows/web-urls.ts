import { PAGES } from "../../../control-plane/lava/web-urls/bookmarks.ts";
import type { Row } from "../row.ts";

const FILES: readonly (readonly [route: string, about?: string])[] = [
  ["GET /scheduler/job/:id/definition/plain", "byte for byte"],
  ["GET /scheduler/job/:id/multinode_definition/plain"],
  ["GET /scheduler/job/:id/log_file/plain"],
  ["GET /scheduler/job/:id/log_pipeline_incremental"],
  ["GET /scheduler/job/:id/job_status", "text in place of pieces of HTML"],
  ["GET /scheduler/device/:hostname/devicedict/plain"],
  ["GET /results/testcase/:case", "leads to the log's line"],
  ["GET /results/:id/csv"],
  ["GET /results/:id/yaml"],
  ["GET /results/:id/junit", "beyond LAVA"],
  ["GET /results/:id/:suite/csv"],
  ["GET /results/:id/:suite/yaml"],
  ["GET /results/:id/:suite/junit", "beyond LAVA"],
];
const works = (name: string, about = ""): Row => ({ surface: "URLs", state: "works", name, about });

export const WEB_URLS_ROWS: readonly Row[] = [
  ...FILES.map(([name, about]) => works(name, about)),
  ...PAGES.map(([from, to]) => works(`GET ${from}`, `leads to \`${to}\``)),
];
