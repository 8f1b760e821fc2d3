import { UsageError } from "../control-plane/cli/command.ts";
import { applyChange, requireAnswerable, type Context } from "./apply-change.ts";
import { findCodeBucket } from "./code-bucket.ts";
import { parametersFor } from "./parameters.ts";
import { noteRelease, readReleases, readText, type Release } from "./releases.ts";
import { findStack, requireIdle, type Stack } from "./stack.ts";

/**
 * Deploys code and template of an earlier release again, with the parameters of now. The lab's data stays as it is:
 * neighbouring releases understand each other's. @returns the exit code.
 */
export async function rollback(context: Context): Promise<number> {
  requireAnswerable(context);
  const { cloud, options, terminal } = context;
  const stack = await findStack(cloud.cloudFormation, options.stack);
  const bucket = await findCodeBucket(cloud);
  if (!stack || !bucket) throw new UsageError(`no lab ${options.stack} in ${cloud.region}`);
  requireIdle(stack);
  const releases = await readReleases(cloud, bucket, options.stack);
  const target = targetOf(releases, stack, options.to);
  const template = await readText(cloud.s3, bucket, target.template_key);
  if (template === undefined) {
    throw new Error(
      `s3://${bucket}/${target.template_key} is gone: check out that release, and deploy it`,
    );
  }
  terminal.say(
    `From ${stack.outputs["Release"] ?? "?"} back to ${target.release} of ${target.time}`,
  );
  const ours = { CodeBucket: bucket, CodeKey: target.code_key, Release: target.release };
  const { outcome, changes } = await applyChange(context, {
    stack: options.stack,
    isNew: false,
    template,
    parameters: parametersFor(template, stack, ours),
    question: "Roll back? [y/N]",
  });
  if (outcome === "refused") {
    terminal.say("Nothing was rolled back.");
    return 1;
  }
  await noteRelease(cloud, bucket, options.stack, target);
  const { release } = target;
  if (options.json) {
    terminal.out(JSON.stringify({ stack: options.stack, outcome, release, changes }, undefined, 2));
  } else terminal.out(`Rolled back to ${release}: ${stack.outputs["Url"] ?? ""}`);
  return 0;
}

function targetOf(releases: readonly Release[], stack: Stack, to: string | undefined): Release {
  const current = stack.outputs["Release"];
  const wanted = to ?? releases.find(({ release }) => release === current)?.before;
  const known = releases.map(({ release, time }) => `\n  ${release} of ${time}`).join("");
  const target = releases.find(({ release }) => release === wanted);
  if (target && target.release !== current) return target;
  const what =
    to !== undefined
      ? `--to ${to}: ${to === current ? "that is deployed" : "no such release"}`
      : `nothing is known to have been there before ${current ?? "the release that is deployed"}`;
  throw new UsageError(`${what}; releases of ${stack.name}:${known || " none"}`);
}
