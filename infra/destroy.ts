import {
  DeleteStackCommand,
  DescribeStackResourcesCommand,
  UpdateTerminationProtectionCommand,
} from "@aws-sdk/client-cloudformation";
import { UsageError } from "../control-plane/cli/command.ts";
import { failureText, isAgreed, requireAnswerable, watch, type Context } from "./apply-change.ts";
import { removeBucket, removeTable, removeWorkersQueues, emptyBucket } from "./remove-data.ts";
import { findStack, requireIdle, type Stack } from "./stack.ts";

interface Part {
  readonly type: string;
  readonly id: string;
}

/** Removes a lab, with its data unless `--keep-data`. @returns the exit code. */
export async function destroy(context: Context): Promise<number> {
  requireAnswerable(context);
  const { cloud, options, terminal } = context;
  if (options.yes && !options.isNamed) throw new UsageError("destroy --yes wants --stack NAME too");
  const stack = await findStack(cloud.cloudFormation, options.stack);
  if (!stack) throw new UsageError(`no stack ${options.stack} in ${cloud.region}`);
  requireIdle(stack);
  const data = await dataOf(context, stack);
  terminal.say(`This removes stack ${stack.name} (${cloud.region}) ${dataText(context, data)}`);
  const isName = new RegExp(`^${stack.name}$`);
  if (!(await isAgreed(context, `Type ${stack.name} to go on:`, isName))) {
    terminal.say("Nothing was removed.");
    return 1;
  }
  const codeBucket = stack.outputs["CodeBucketName"];
  if (codeBucket !== undefined) await emptyBucket(cloud, codeBucket);
  await deleteStack(context, stack);
  await removeWorkersQueues(cloud, stack.name);
  if (!options.keepData) await removeData(context, data);
  if (options.json) {
    const kept = options.keepData ? data : [];
    terminal.out(JSON.stringify({ stack: stack.name, outcome: "removed", kept }, undefined, 2));
  } else terminal.out(`Removed: ${stack.name}`);
  return 0;
}

/** Parts that deleting the stack leaves: the template says so of them. */
async function dataOf({ cloud }: Context, { name, outputs }: Stack): Promise<Part[]> {
  const { StackResources = [] } = await cloud.cloudFormation.send(
    new DescribeStackResourcesCommand({ StackName: name }),
  );
  const parts = StackResources.map(({ ResourceType = "", PhysicalResourceId = "" }) => ({
    type: ResourceType,
    id: PhysicalResourceId,
  }));
  return parts.filter(
    ({ type, id }) =>
      id !== "" &&
      id !== outputs["CodeBucketName"] &&
      (type === "AWS::DynamoDB::Table" || type === "AWS::S3::Bucket"),
  );
}

function dataText({ options }: Context, data: readonly Part[]): string {
  if (data.length === 0) return "with all that it has.";
  const names = data.map(({ type, id }) => `${type.includes("S3") ? "bucket" : "table"} ${id}`);
  return options.keepData
    ? `and keeps its data: ${names.join(", ")}. The next deploy of ${options.stack} takes it over.`
    : `with ALL ITS DATA: ${names.join(", ")}. No backup of AWS's brings the bucket back.`;
}

async function deleteStack(context: Context, { id, name }: Stack): Promise<void> {
  const client = context.cloud.cloudFormation;
  await client.send(
    new UpdateTerminationProtectionCommand({ StackName: name, EnableTerminationProtection: false }),
  );
  const { status, failures } = await watch(context, id, () =>
    client.send(new DeleteStackCommand({ StackName: name })),
  );
  if (status === "DELETE_COMPLETE") return;
  throw new Error(`${failureText(name, status, failures)}\nIts data was not touched.`);
}

async function removeData(context: Context, data: readonly Part[]): Promise<void> {
  for (const { type, id } of data) {
    context.terminal.say(`  removing ${id}`);
    if (type === "AWS::DynamoDB::Table") await removeTable(context, id);
    else await removeBucket(context.cloud, id);
  }
}
