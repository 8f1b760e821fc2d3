import type { Blobs } from "../../ports/blobs.ts";
import type { System } from "../../ports/system.ts";
import { TableConflict } from "../../ports/table.ts";
import { openBlobs } from "./blobs.ts";
import type { AwsPlace } from "./place.ts";
import { openSignals, type AwsSignals } from "./signals.ts";
import { openTable, type AwsTable } from "./table.ts";

export type { AwsPlace } from "./place.ts";

export interface AwsEngine {
  readonly table: AwsTable;
  readonly blobs: Blobs;
  readonly signals: AwsSignals;
  /** Secret of this lab, made at the first call of its life and kept in its table, which is encrypted at rest. */
  secret(): Promise<string>;
  close(): void;
}

const secretKey = { partition: "lab", sort: "secret" };

/** Opens what CloudFormation made; nothing is connected before it is used. */
export function openAwsEngine(place: AwsPlace, system: System): AwsEngine {
  const table = openTable(place, system);
  const signals = openSignals(place, system);

  async function secret(): Promise<string> {
    const found = await table.get<{ secret: string }>(secretKey);
    if (found) return found.data.secret;
    const made = system.randomToken();
    try {
      await table.transact([{ put: { key: secretKey, data: { secret: made } }, when: "absent" }]);
      return made;
    } catch (error) {
      if (!(error instanceof TableConflict)) throw error;
      return secret();
    }
  }

  return {
    table,
    blobs: openBlobs(place, system),
    signals,
    secret,
    close() {
      signals.close();
      table.close();
    },
  };
}
