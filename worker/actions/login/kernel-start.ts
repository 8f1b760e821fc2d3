import type { BootBlock } from "#protocol/job-actions.ts";
import { expectPrompt } from "../../console/prompt.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { errorFailure, errorPatterns } from "../bootloader/error-messages.ts";
import { errorMessages, methodParameters } from "../bootloader/methods.ts";
import { promptPatterns } from "./prompt-patterns.ts";

/** A prompt counts as "the kernel said nothing" when this long nothing came after it. */
const SILENCE_MS = 1000;
/** In the midst of what a firmware prints it is hardly one: the firmware may only be busy. */
const MIDST_SILENCE_MS = 10_000;

/**
 * Waits for the kernel's banner (DISPATCHER.md 8, step 1), so that what a firmware prints is not taken for
 * a prompt. A kernel booted with `quiet` prints none: when a prompt comes instead, or a panic, and the DUT falls
 * silent, the boot goes on, and the log says so.
 *
 * @throws JobFailure Job when neither came in time, Infrastructure when the bootloader says that it failed.
 */
export async function awaitKernelStart(
  context: RunContext,
  block: BootBlock,
  prompts: readonly string[],
): Promise<void> {
  const banner = bannerOf(context, block);
  if (banner === "") return;
  const console = context.connection.take(consoleSlot);
  const { signal, timeoutSeconds, log } = context;
  const errors = errorMessages(block.method, context.job);
  const others = { banner: pythonRegex(banner), panic: PANIC, ...errorPatterns(errors) };
  const wanted = promptPatterns([...prompts, ...loginPrompt(block)]);
  const wait = {
    ...{ signal, log, others, keepMatch: true, timeoutSeconds },
    ...{ quietMs: SILENCE_MS, silentMs: MIDST_SILENCE_MS, patienceMs: Infinity },
  };
  log.info(`Waiting for the kernel's start: ${banner}`);
  const found = await expectPrompt(console, wanted, wait);
  const failure = errorFailure(found, errors);
  if (failure) throw failure;
  // What follows a panic, if anything, is no banner.
  if (found.name === "banner" || found.name === "panic") return;
  log.warning(
    `The kernel's start was awaited as ${JSON.stringify(banner)} and did not show; ` +
      `${JSON.stringify(found.match[0])} came instead, so the boot goes on (is \`quiet\` on the kernel's command line?)`,
  );
}

/** What the device's boot method says, else the block's own words, else the device's, else LAVA's. */
function bannerOf({ job }: RunContext, block: BootBlock): string {
  const ofMethod = methodParameters(block.method, job)["boot_message"];
  const own = ofMethod ?? block.parameters?.["kernel-start-message"];
  const constant = (job.device.constants as Record<string, unknown>)["kernel-start-message"];
  const banner = own ?? constant ?? "Linux version [0-9]";
  if (typeof banner === "string") return banner;
  throw new JobFailure("Job", "kernel-start-message: expected a regular expression");
}

const PANIC = /Kernel panic - not syncing/g;

const loginPrompt = ({ auto_login: login }: BootBlock): string[] =>
  login ? [login.login_prompt] : [];
