import type { Hono } from "hono";
import { announcingTable, NOTICES_PASS } from "../../../control-plane/domain/announcing-table.ts";
import { DEFAULT_SETTINGS, type Deps, type Settings } from "../../../control-plane/domain/deps.ts";
import { deliverNotices } from "../../../control-plane/domain/notices/deliver.ts";
import { schedulePass } from "../../../control-plane/domain/schedule.ts";
import { firstAdminToken, setUpLab } from "../../../control-plane/domain/set-up-lab.ts";
import { openAwsEngine, type AwsPlace } from "../../../control-plane/engines/aws/engine.ts";
import { outbound } from "../../../control-plane/node-outbound.ts";
import { createApp } from "../../../control-plane/http/app.ts";
import type { Env } from "../../../control-plane/http/route.ts";
import { lavaApp } from "../../../control-plane/lava/lava-app.ts";
import { planner } from "../../../control-plane/planner.ts";
import type { System } from "../../../control-plane/ports/system.ts";
import { stockTemplates } from "../../../control-plane/stock-templates.ts";
import { uiApp } from "../../../control-plane/ui/app.tsx";
import type { Cloud } from "./cloud.ts";

/** A lab on the aws engine in this process, without Lambda: its rules, its app, and passes when they are asked for. */
export interface CloudLab {
  readonly deps: Deps;
  readonly app: Hono<Env>;
  readonly adminToken: string;
  /** Runs what was asked for and what that asks for, until nothing is left. */
  settled(): Promise<void>;
  close(): void;
}

/** The lab of a place; `adminToken` is good when this was its first opening. */
export async function openCloudLab(
  cloud: Cloud,
  place: AwsPlace,
  system: System,
  settings: Partial<Settings> = {},
): Promise<CloudLab> {
  const engine = openAwsEngine(place, system);
  const { table, blobs, signals } = engine;
  const secret = await engine.secret();
  const deps: Deps = {
    table: announcingTable(table, signals, { eager: false }),
    blobs,
    signals,
    system,
    outbound,
    planner,
    templates: stockTemplates(),
    settings: { ...DEFAULT_SETTINGS, secret, engine: "aws", ...settings },
  };
  const adminToken = firstAdminToken(deps);
  await setUpLab(deps, adminToken);
  const app = createApp(deps);
  app.route("/", lavaApp(deps));
  app.route("/", uiApp(deps));
  return {
    deps,
    app,
    adminToken,
    settled: () =>
      cloud.runPasses((what) =>
        what === NOTICES_PASS ? deliverNotices(deps) : schedulePass(deps, what),
      ),
    close: () => engine.close(),
  };
}
