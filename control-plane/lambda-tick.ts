import { cloudRounds, tick } from "./domain/tick.ts";
import type { Invocation } from "./lambda-event.ts";
import { lambdaLab } from "./lambda-lab.ts";
import { logFor } from "./lambda-log.ts";

const rounds = cloudRounds();
await lambdaLab().catch(() => {});

/** Each minute, by EventBridge. One that fails is counted by Lambda, for the alarm; the next does its work. */
export async function handler(_event: unknown, invocation: Invocation): Promise<void> {
  logFor(invocation.awsRequestId);
  await tick(await lambdaLab(), rounds);
}
