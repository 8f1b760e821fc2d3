import { PAGES } from "../../../control-plane/lava/web-urls/bookmarks.ts";
import type { Row } from "../row.ts";

const TEST = "test/lava/web-urls.test.ts";

const FILES: readonly (readonly [route: string, called: string, about?: string])[] = [
  ["GET /scheduler/job/:id/definition/plain", "/definition/plain", "byte for byte"],
  ["GET /scheduler/job/:id/multinode_definition/plain", ""],
  ["GET /scheduler/job/:id/log_file/plain", "/log_file/plain"],
  ["GET /scheduler/job/:id/log_pipeline_incremental", "/log_pipeline_incremental?line=1"],
  ["GET /scheduler/job/:id/job_status", "/job_status", "text in place of pieces of HTML"],
  ["GET /scheduler/device/:hostname/devicedict/plain", "/devicedict/plain"],
  ["GET /results/testcase/:case", "/results/testcase/17", "leads to the log's line"],
  ["GET /results/:id/csv", '"csv"'],
  ["GET /results/:id/yaml", '"yaml"'],
  ["GET /results/:id/junit", '"junit"', "beyond LAVA"],
  ["GET /results/:id/:suite/csv", "0_t/csv"],
  ["GET /results/:id/:suite/yaml", "0_t/yaml"],
  ["GET /results/:id/:suite/junit", "0_t/junit", "beyond LAVA"],
];

export const WEB_URLS_ROWS: readonly Row[] = [
  ...FILES.map(([name, called, about = ""]) => ({
    ...{ surface: "URLs" as const, state: "works" as const, name, about },
    ...(called === ""
      ? { test: "test/lava/rest-access.test.ts", called: name }
      : { test: TEST, called }),
  })),
  ...PAGES.map(([from, to]) => ({
    ...{ surface: "URLs" as const, state: "works" as const, name: `GET ${from}` },
    ...{ about: `leads to \`${to}\``, test: TEST, called: "PAGES" },
  })),
];
