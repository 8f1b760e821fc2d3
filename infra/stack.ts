import {
  DescribeStacksCommand,
  type CloudFormationClient,
  type Stack as AwsStack,
} from "@aws-sdk/client-cloudformation";

/** A stack as CloudFormation knows it. */
export interface Stack {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** Secret ones as `****`. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** By name; a deleted stack only by id. Undefined when there is none, or nothing but a change set of one. */
export async function findStack(
  client: CloudFormationClient,
  nameOrId: string,
): Promise<Stack | undefined> {
  const found = await describe(client, nameOrId);
  if (!found || found.StackStatus === "REVIEW_IN_PROGRESS") return undefined;
  return {
    id: found.StackId ?? "",
    name: found.StackName ?? "",
    status: found.StackStatus ?? "",
    outputs: Object.fromEntries(
      (found.Outputs ?? []).map(({ OutputKey = "", OutputValue = "" }) => [OutputKey, OutputValue]),
    ),
    parameters: Object.fromEntries(
      (found.Parameters ?? []).map(({ ParameterKey = "", ParameterValue = "" }) => [
        ParameterKey,
        ParameterValue,
      ]),
    ),
  };
}

async function describe(
  client: CloudFormationClient,
  nameOrId: string,
): Promise<AwsStack | undefined> {
  try {
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: nameOrId }));
    return Stacks?.[0];
  } catch (error) {
    if (error instanceof Error && /does not exist/.test(error.message)) return undefined;
    throw error;
  }
}

/** A creation that failed: nothing but its name is left, and no update is possible. */
export const isFailedCreation = ({ status }: Stack): boolean =>
  ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"].includes(status);

/** Throws when somebody else is at it, or CloudFormation needs a person's help. */
export function requireIdle({ name, status }: Stack): void {
  if (status.endsWith("_IN_PROGRESS")) {
    throw new Error(`stack ${name} is being changed (${status}): wait until that has ended`);
  }
  if (status === "UPDATE_ROLLBACK_FAILED") {
    throw new Error(
      `stack ${name} is stuck (${status}): aws cloudformation continue-update-rollback --stack-name ${name}`,
    );
  }
}
