import { refusal } from "../../host/device-methods.ts";
import type { BootBlock } from "#protocol/job-actions.ts";
import { expectPrompt } from "../../console/prompt.ts";
import { literalRegex } from "../../console/python-regex.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { shellQuote } from "../../overlay/shell-quote.ts";
import type { JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, promptsSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { currentPrompts, promptPatterns } from "../login/prompt-patterns.ts";
import { shellOf, typeInShell } from "../login/shell-command.ts";

/** From a shell on the DUT into a chroot that it offers by the name `schroot: NAME` (DISPATCHER.md 12). */
export const schrootBoot: BootStrategy = {
  family: "boot",
  name: "schroot",
  refuses: ({ method }, job) => refusal("boot", "schroot", method, job),
  action: (block) => ({
    name: "schroot-login",
    needs: [consoleSlot],
    validate: async ({ job }) => void nameOf(job, block),
    run: (context) => enter(context, block),
  }),
};

/** What schroot says when it does not let anybody in: `E: unstable: Chroot not found`. */
const REFUSED = /(?<![^\r\n])E: [^\r\n]*[\r\n]/g;

async function enter(context: RunContext, block: BootBlock): Promise<void> {
  const { job, connection } = context;
  const { command } = schrootOf(job);
  const name = nameOf(job, block);
  const console = connection.take(consoleSlot);
  const own = listOfTexts(block["prompts"]);
  const prompts = own.length > 0 ? own : currentPrompts(connection);
  const shell = shellOf(context);
  await typeInShell(shell, `${command} -c ${shellQuote(name)}`);
  const wait = { ...shell, others: { refused: REFUSED, missing: NOT_FOUND } };
  const found = await expectPrompt(console, promptPatterns(prompts), wait);
  if (found.name === "refused" || found.name === "missing") {
    const said = found.match[0].trim();
    throw new JobFailure("Infrastructure", `Unable to enter schroot ${name}: ${said}`);
  }
  connection.put(promptsSlot, prompts);
}

const NOT_FOUND = literalRegex(": not found");

function schrootOf({ device }: JobContext): { command: string; names: readonly string[] } {
  const { command, name } = (device.actions.boot.methods?.["schroot"] ?? {}) as {
    command?: unknown;
    name?: unknown;
  };
  return {
    command: typeof command === "string" && command !== "" ? command : "schroot",
    names: listOfTexts(name),
  };
}

function nameOf(job: JobContext, block: BootBlock): string {
  const { names } = schrootOf(job);
  const name = block["schroot"];
  if (typeof name === "string" && names.includes(name)) return name;
  const message = `schroot: expected one of those that the device offers (${names.join(", ") || "none"}), not ${JSON.stringify(name)}`;
  throw new JobFailure("Job", message);
}
