import { parseArgs } from "node:util";
import { UsageError } from "../control-plane/cli/command.ts";

export const HELP = `usage: npm run deploy|diff|rollback|destroy|smoke -- [options], or scripts/cloud COMMAND [options]

  deploy     put the lab of this checkout into AWS, or bring it up to date: shows what changes, asks, does it
  diff       only show what deploy would change. Exits as diff does: 0 nothing, 1 something, 2 trouble
  rollback   go back to the release before
  destroy    remove the lab with all its data; --keep-data leaves table and blobs to the next deploy
  smoke      check a deployed lab by a worker that waits at SQS, as real ones do

Credentials come from where AWS's own tools have them: AWS_PROFILE, AWS_ACCESS_KEY_ID, ..., the machine's role.

  --stack NAME          the lab's name; default pumice
  --region REGION       default AWS_REGION, or that of AWS_PROFILE
  --parameter KEY=VALUE set a parameter of infra/template.yaml; again for more; others stay as they are
  -y, --yes             don't ask (for CI); destroy also wants --stack then
  --json                print the result as JSON; asks nothing, so deploy, rollback and destroy want --yes
  --zip FILE            deploy, diff: the functions' code; default dist/lambda.zip, made from this checkout
  --token-file FILE     deploy: where the first administrator's token goes; default STACK.admin-token
                        smoke: an administrator's token
  --replace-data        deploy, rollback: allow changes after which the lab begins with an empty table or bucket
  --to RELEASE          rollback: to this release instead of the one before
  --keep-data           destroy: leave the table and the bucket of blobs
  --poll SECONDS        how often to look how far AWS is; default 3
  --help

Exits with 0 when it is as wanted, 1 when AWS failed or you said no, 2 when nothing was begun.
`;

export const COMMANDS = ["deploy", "diff", "rollback", "destroy", "smoke"] as const;
export type CommandName = (typeof COMMANDS)[number];

export interface Options {
  readonly command: CommandName;
  readonly stack: string;
  /** Whether the stack was named, not taken by default. */
  readonly isNamed: boolean;
  readonly region: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly yes: boolean;
  readonly json: boolean;
  readonly zip: string | undefined;
  readonly tokenFile: string;
  readonly replaceData: boolean;
  readonly to: string | undefined;
  readonly keepData: boolean;
  readonly pollMs: number;
}

/** Bucket names begin with it and have account and region behind it, in 63 characters. */
const STACK_NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const MAX_STACK_NAME = 32;

/** Undefined when help is asked for. Throws `UsageError`. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const [command] = args;
  if (command === undefined || args.includes("--help") || args.includes("-h")) return undefined;
  if (!isCommand(command)) {
    throw new UsageError(`no command ${command}; expected one of ${COMMANDS.join(", ")}`);
  }
  const values = parseValues(args.slice(1));
  const stack = values.stack ?? "pumice";
  if (!STACK_NAME.test(stack) || stack.length > MAX_STACK_NAME) {
    throw new UsageError(
      `--stack ${stack}: expected at most ${MAX_STACK_NAME} characters, small letters, digits and single dashes, a letter first`,
    );
  }
  const { yes = false, json = false } = values;
  if (json && !yes && command !== "diff" && command !== "smoke") {
    throw new UsageError("--json asks nothing: give --yes too");
  }
  return {
    command,
    stack,
    isNamed: values.stack !== undefined,
    region: values.region,
    parameters: Object.fromEntries((values.parameter ?? []).map(parameterOf)),
    yes,
    json,
    zip: values.zip,
    tokenFile: values["token-file"] ?? `${stack}.admin-token`,
    replaceData: values["replace-data"] ?? false,
    to: values.to,
    keepData: values["keep-data"] ?? false,
    pollMs: pollOf(values.poll),
  };
}

const isCommand = (word: string): word is CommandName =>
  (COMMANDS as readonly string[]).includes(word);

function parseValues(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        stack: { type: "string" },
        region: { type: "string" },
        parameter: { type: "string", multiple: true },
        yes: { type: "boolean", short: "y" },
        json: { type: "boolean" },
        zip: { type: "string" },
        "token-file": { type: "string" },
        "replace-data": { type: "boolean" },
        to: { type: "string" },
        "keep-data": { type: "boolean" },
        poll: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function parameterOf(text: string): [string, string] {
  const [, name, value] = /^([A-Za-z0-9]+)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new UsageError(`--parameter ${text}: expected KEY=VALUE`);
}

function pollOf(text = "3"): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= 60) return seconds * 1000;
  throw new UsageError(`--poll ${text}: expected seconds, 60 at most`);
}
