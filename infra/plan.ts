import type { Parameter } from "@aws-sdk/client-cloudformation";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { VERSION } from "#protocol/version.ts";
import { UsageError } from "../control-plane/cli/command.ts";
import type { Context } from "./apply-change.ts";
import { findCodeBucket, sha256 } from "./code-bucket.ts";
import { parametersFor } from "./parameters.ts";
import { LAB_TEMPLATE, readTemplate } from "./read-template.ts";
import { findStack, requireIdle, type Stack } from "./stack.ts";

const ZIP = new URL("../dist/lambda.zip", import.meta.url);

/** All that goes up, with the names that it gets there: by hash, so the same is the same. */
export interface Plan {
  readonly zip: Uint8Array;
  readonly codeKey: string;
  readonly template: string;
  readonly templateKey: string;
  readonly release: string;
  /** The lab as it is now. */
  readonly stack: Stack | undefined;
  /** Undefined until the first deploy into this account and region. */
  readonly bucket: string | undefined;
}

/** What a deploy would bring, and what is there. Throws when the lab can't be changed now. */
export async function makePlan({ cloud, options }: Context): Promise<Plan> {
  const zip = readZip(options.zip ?? fileURLToPath(ZIP));
  const { text: template } = readTemplate(LAB_TEMPLATE);
  const codeHash = sha256(zip).slice(0, 32);
  const templateHash = sha256(template).slice(0, 32);
  const stack = await findStack(cloud.cloudFormation, options.stack);
  if (stack) requireIdle(stack);
  return {
    zip,
    codeKey: `code/${codeHash}.zip`,
    template,
    templateKey: `templates/${templateHash}.yaml`,
    release: `${VERSION}-${sha256(codeHash + templateHash).slice(0, 10)}`,
    stack,
    bucket: await findCodeBucket(cloud),
  };
}

function readZip(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`no code to deploy: ${(error as Error).message}`);
  }
}

/** @param bucket where the code will be. */
export function parametersOf(
  { options }: Context,
  { template, stack, codeKey, release }: Plan,
  bucket: string,
  firstAdmin: string | undefined,
): Parameter[] {
  const ours = {
    CodeBucket: bucket,
    CodeKey: codeKey,
    Release: release,
    ...(firstAdmin === undefined ? {} : { FirstAdmin: firstAdmin }),
  };
  return parametersFor(template, stack, ours, options.parameters);
}
