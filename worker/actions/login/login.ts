import type { BootBlock } from "#protocol/job-actions.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, promptsSlot } from "../../pipeline/job-slots.ts";
import type { StrategyContext } from "../../pipeline/strategy.ts";
import { KernelWatch } from "./kernel-messages.ts";
import { awaitKernelStart } from "./kernel-start.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { overlayUnpackSteps } from "./overlay-unpack.ts";
import { promptPatterns } from "./prompt-patterns.ts";
import { runInShell, shellOf } from "./shell-command.ts";
import { INCORRECT, typeLogin } from "./type-login.ts";
import { exportDeviceEnv, expectShell } from "./shell-session.ts";

export interface LoginOptions {
  /** False where nothing boots (ssh, new_connection): there is no kernel's banner to wait for. */
  readonly kernelStart?: boolean;
  /** A shell is wanted whether or not a test needs one: some methods have it so (DISPATCHER.md 12). */
  readonly alwaysShell?: boolean;
}

/** What follows a boot that ends at a prompt (DISPATCHER.md 8): log in, then a shell when tests want one. */
export function loginSteps(
  block: BootBlock,
  { hasShell }: StrategyContext,
  { kernelStart = true, alwaysShell = false }: LoginOptions = {},
): Action[] {
  const prompts = listOfTexts(block["prompts"]);
  if (prompts.length === 0) return [];
  return [
    {
      name: "auto-login-action",
      retries: true,
      needs: [consoleSlot],
      gives: [promptsSlot],
      ...(kernelStart ? { run: (context) => awaitKernelStart(context, block, prompts) } : {}),
      steps: [loginAction(block, prompts, { nudges: hasShell || alwaysShell })],
    },
    ...(hasShell || alwaysShell
      ? [expectShell, ...overlayUnpackSteps(block), exportDeviceEnv]
      : []),
  ];
}

/** `nudges`: the prompt is a shell's. */
function loginAction(block: BootBlock, prompts: string[], options: { nudges: boolean }): Action {
  return {
    name: "login-action",
    needs: [consoleSlot],
    gives: [promptsSlot],
    validate: async ({ log }) => checkLogin(block, prompts, log),
    run: (context) => logIn(context, block, prompts, options),
  };
}

async function checkLogin(
  { auto_login: login }: BootBlock,
  prompts: string[],
  log: RunContext["log"],
): Promise<void> {
  for (const prompt of prompts) pythonRegex(prompt);
  const vague = prompts.filter((prompt) => !/[\\:]/.test(prompt));
  if (vague.length > 0) {
    log.warning(`prompts that may match ordinary output: ${vague.join(", ")}`);
  }
  if (!login) return;
  if (login.login_prompt === "") throw new JobFailure("Job", "auto_login.login_prompt is empty");
  pythonRegex(login.login_prompt);
  if (login.password_prompt !== undefined && login.password === undefined) {
    throw new JobFailure("Job", "auto_login.password is missing: there is a password_prompt");
  }
}

async function logIn(
  context: RunContext,
  block: BootBlock,
  prompts: string[],
  { nudges }: { nudges: boolean },
): Promise<void> {
  const console = context.connection.take(consoleSlot);
  const login = block.auto_login;
  const watch = new KernelWatch(context, block);
  context.connection.put(promptsSlot, prompts);
  try {
    const first = {
      ...promptPatterns(prompts),
      ...(login ? { login: pythonRegex(login.login_prompt) } : {}),
    };
    const others = login ? { incorrect: INCORRECT } : {};
    const wait = { nudges: nudges || login !== undefined };
    const { match } = await watch.expect(console, first, others, wait);
    if (login) await typeLogin(context, console, login, prompts);
    const { messages } = watch;
    context.record(messages.length > 0 ? { extra: messages } : { success: match[0] });
  } finally {
    watch.report();
  }
  const shell = { ...shellOf(context), timeoutSeconds: context.connectionTimeoutSeconds };
  for (const command of listOfTexts(login?.login_commands)) await runInShell(shell, command);
}
