import {
  DeleteStackCommand,
  UpdateTerminationProtectionCommand,
} from "@aws-sdk/client-cloudformation";
import {
  applyChange,
  failureText,
  isAgreed,
  requireAnswerable,
  watch,
  type Applied,
  type Context,
} from "./apply-change.ts";
import { CODE_STACK, findCodeBucket, upload } from "./code-bucket.ts";
import { makeFirstAdmin, openTokenFile } from "./first-admin.ts";
import { makePlan, parametersOf, type Plan } from "./plan.ts";
import { CODE_TEMPLATE, readTemplate } from "./read-template.ts";
import { noteRelease } from "./releases.ts";
import { findStack, isFailedCreation, type Stack } from "./stack.ts";

/** Puts the lab into AWS or brings it up to date. @returns the exit code. */
export async function deploy(context: Context): Promise<number> {
  requireAnswerable(context);
  let plan = await makePlan(context);
  // A parameter that is not there should not cost anybody the time until the bucket is made.
  parametersOf(context, plan, "", undefined);
  if (plan.stack && isFailedCreation(plan.stack)) {
    if (!(await removeFailed(context, plan.stack))) return refused(context);
    plan = { ...plan, stack: undefined };
  }
  const bucket = plan.bucket ?? (await makeCodeBucket(context));
  if (bucket === undefined) return refused(context);
  return plan.stack ? update(context, plan, bucket) : create(context, plan, bucket);
}

async function update(context: Context, plan: Plan, bucket: string): Promise<number> {
  const { outcome, changes } = await applyChange(context, {
    stack: context.options.stack,
    isNew: false,
    template: plan.template,
    parameters: parametersOf(context, plan, bucket, undefined),
    question: "Deploy? [y/N]",
    prepare: () => uploadAll(context, plan, bucket),
  });
  if (outcome === "refused") return refused(context);
  if (outcome === "done") await remember(context, plan, bucket);
  return report(context, outcome, changes);
}

async function create(context: Context, plan: Plan, bucket: string): Promise<number> {
  const { options, terminal } = context;
  const admin = makeFirstAdmin();
  const file = openTokenFile(options.tokenFile);
  let isTakenOver = false;
  try {
    const { outcome, changes } = await applyChange(context, {
      stack: options.stack,
      isNew: true,
      template: plan.template,
      parameters: parametersOf(context, plan, bucket, admin.hash),
      question: "Deploy? [y/N]",
      prepare: async (changes) => {
        isTakenOver = changes.some(({ action, name }) => action === "Import" && name === "Table");
        await uploadAll(context, plan, bucket);
      },
    });
    if (outcome !== "done") {
      file.discard();
      return refused(context);
    }
    if (isTakenOver) file.discard();
    else file.write(`${admin.token}\n`);
    await remember(context, plan, bucket);
    const code = await report(
      context,
      outcome,
      changes,
      isTakenOver ? undefined : options.tokenFile,
    );
    if (isTakenOver) terminal.say("It took over the data of the lab before: its tokens are valid.");
    return code;
  } catch (error) {
    file.discard();
    throw error;
  }
}

const refused = ({ terminal }: Context): number => {
  terminal.say("Nothing was deployed.");
  return 1;
};

async function uploadAll({ cloud }: Context, plan: Plan, bucket: string): Promise<void> {
  await upload(cloud, bucket, plan.codeKey, plan.zip);
  await upload(cloud, bucket, plan.templateKey, Buffer.from(plan.template));
}

/** The release, for rollback; and that nobody deletes the stack by one click. */
async function remember(
  { cloud, options }: Context,
  { stack, release, codeKey, templateKey }: Plan,
  bucket: string,
): Promise<void> {
  const before = stack?.outputs["Release"];
  await noteRelease(cloud, bucket, options.stack, {
    release,
    code_key: codeKey,
    template_key: templateKey,
    time: new Date().toISOString(),
    ...(before === undefined || before === release ? {} : { before }),
  });
  await cloud.cloudFormation.send(
    new UpdateTerminationProtectionCommand({
      StackName: options.stack,
      EnableTerminationProtection: true,
    }),
  );
}

/** Tells where the lab is, and at the first time how to sign in. */
async function report(
  { cloud, options, terminal }: Context,
  outcome: Applied["outcome"],
  changes: Applied["changes"],
  tokenFile?: string,
): Promise<number> {
  const { outputs = {} } = (await findStack(cloud.cloudFormation, options.stack)) ?? {};
  const url = outputs["Url"] ?? "";
  if (options.json) {
    const token_file = tokenFile === undefined ? {} : { token_file: tokenFile };
    const { stack } = options;
    const result = { stack, region: cloud.region, outcome, url, outputs, changes, ...token_file };
    terminal.out(JSON.stringify(result, undefined, 2));
    return 0;
  }
  terminal.out(outcome === "same" ? `Nothing to do: ${url} is up to date.` : `Deployed: ${url}`);
  const events = outputs["EventsUrl"];
  if (events !== undefined) terminal.say(`LAVA's event stream: ${events}`);
  if (tokenFile === undefined) return 0;
  terminal.say(`The first administrator's token is in ${tokenFile}, and nowhere else. To sign a browser in:
  scripts/pumice sign-in --url ${url} --token-file ${tokenFile}`);
  return 0;
}

/** A creation that failed leaves a stack that can only be removed; table and bucket stay for the next try. */
async function removeFailed(context: Context, { id, name, status }: Stack): Promise<boolean> {
  const { cloud, terminal } = context;
  terminal.say(
    `Stack ${name} is what a creation left that failed (${status}); it has to be removed before the next.`,
  );
  if (!(await isAgreed(context, "Remove it? [y/N]"))) return false;
  const ending = await watch(context, id, () =>
    cloud.cloudFormation.send(new DeleteStackCommand({ StackName: name })),
  );
  if (ending.status === "DELETE_COMPLETE") return true;
  throw new Error(failureText(name, ending.status, ending.failures));
}

/** Undefined when the person said no. */
async function makeCodeBucket(context: Context): Promise<string | undefined> {
  const { cloud, terminal } = context;
  terminal.say(
    `No lab was deployed to ${cloud.region} yet: first a bucket for code (${CODE_STACK}).`,
  );
  const { outcome } = await applyChange(
    // What is printed as JSON is the lab.
    { ...context, terminal: { ...terminal, out: (text) => terminal.say(text) } },
    {
      stack: CODE_STACK,
      isNew: true,
      template: readTemplate(CODE_TEMPLATE).text,
      parameters: [],
      question: "Make it? [y/N]",
    },
  );
  if (outcome === "refused") return undefined;
  const bucket = await findCodeBucket(cloud);
  if (bucket === undefined) throw new Error(`stack ${CODE_STACK} does not say what its bucket is`);
  return bucket;
}
