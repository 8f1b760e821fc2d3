import { NOTICES_PASS } from "./domain/announcing-table.ts";
import { schedulePass } from "./domain/schedule.ts";
import type { Invocation } from "./lambda-event.ts";
import { lambdaLab } from "./lambda-lab.ts";
import { log, logFor } from "./lambda-log.ts";

/** A batch of the queue of passes: each message's body is a device type, and so is its group. */
export interface PassesEvent {
  readonly Records: readonly { readonly messageId: string; readonly body: string }[];
}

interface BatchAnswer {
  readonly batchItemFailures: { readonly itemIdentifier: string }[];
}

await lambdaLab().catch(() => {});

/** One pass for each device type of the batch, however often it was asked for. What failed comes again. */
export async function handler(event: PassesEvent, invocation: Invocation): Promise<BatchAnswer> {
  logFor(invocation.awsRequestId);
  const deps = await lambdaLab();
  if (deps.settings.archive) return { batchItemFailures: [] };
  const deviceTypes = [...new Set(event.Records.map(({ body }) => body))];
  const failed = new Set<string>();
  const pass = async (deviceType: string): Promise<void> => {
    try {
      if (deviceType === NOTICES_PASS) {
        const { deliverNotices } = await import("./domain/notices/deliver.ts");
        await deliverNotices(deps);
      } else {
        await schedulePass(deps, deviceType);
      }
    } catch (error) {
      failed.add(deviceType);
      log("error", "scheduling failed", { device_type: deviceType, error: stackOf(error) });
    }
  };
  await Promise.all(deviceTypes.map(pass));
  const again = event.Records.filter(({ body }) => failed.has(body));
  return { batchItemFailures: again.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}

const stackOf = (error: unknown) => (error instanceof Error ? error.stack : String(error));
