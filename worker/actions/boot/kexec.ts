import { copyFile } from "node:fs/promises";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { shellQuote } from "../../overlay/shell-quote.ts";
import type { Action, RunContext, ValidateContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import {
  consoleSlot,
  imagesSlot,
  placeholdersSlot,
  tftpFilesSlot,
} from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { serveFile } from "../../services/file-server.ts";
import { loginSteps } from "../login/login.ts";
import { runOnDut, shellOf, typeInShell } from "../login/shell-command.ts";

/** From a running system straight into another kernel, by kexec on the DUT (DISPATCHER.md 12). */
export const kexecBoot: BootStrategy = {
  family: "boot",
  name: "kexec",
  refuses: ({ method }) => (method === "kexec" ? undefined : `the method is ${method}`),
  action: (block, context) => ({
    name: "kexec-boot",
    retries: true,
    needs: [consoleSlot],
    steps: [callKexec(block), ...loginSteps(block, context, { alwaysShell: true })],
  }),
};

const DEFAULT_COMMAND = "/sbin/kexec";

/** The block's key for each file, the option that names it, the labels and the placeholder of its deployment. */
const FILES = [
  { key: "kernel", option: undefined, labels: ["kernel"], placeholder: "KERNEL" },
  { key: "dtb", option: "--dtb", labels: ["dtb"], placeholder: "DTB" },
  {
    key: "initrd",
    option: "--initrd",
    labels: ["initrd", "ramdisk", "initramfs"],
    placeholder: "RAMDISK",
  },
] as const;

const callKexec = (block: BootBlock): Action => ({
  name: "call-kexec",
  needs: [consoleSlot],
  validate: async (context) => check(context, block),
  run: (context) => call(context, block),
});

function check({ log }: ValidateContext, block: BootBlock): void {
  const { kernel, boot_message: message, command = DEFAULT_COMMAND } = block;
  if (typeof message !== "string" || message === "") {
    throw new JobFailure("Job", "kexec: boot_message is missing: what the new kernel says first");
  }
  pythonRegex(message);
  if (command === DEFAULT_COMMAND && !kernel) {
    throw new JobFailure("Job", "kexec: kernel is missing: its path on the DUT");
  }
  if (block["kernel-config"] === undefined) return;
  log.debug(`kernel-config ${String(block["kernel-config"])} is for readers of the job only`);
}

async function call(context: RunContext, block: BootBlock): Promise<void> {
  const { connection, timeoutSeconds, signal } = context;
  const command = String(block["command"] ?? DEFAULT_COMMAND);
  const isPanic = block["on_panic"] === true;
  if (block["deploy"] === true) await fetchFiles(context, block);
  await runOnDut(context, loadCommand(block, command, isPanic));
  const console = connection.take(consoleSlot);
  await typeInShell(shellOf(context), isPanic ? "echo c > /proc/sysrq-trigger" : `${command} -e`);
  // Left to be found again: it may be the banner that auto-login-action waits for.
  const wait = { timeoutSeconds, signal, keepMatch: true };
  await console.expect({ message: pythonRegex(String(block["boot_message"])) }, wait);
}

function loadCommand(block: BootBlock, command: string, isPanic: boolean): string {
  const files = FILES.flatMap(({ key, option }) => {
    const file = block[key];
    if (typeof file !== "string" || file === "") return [];
    return option === undefined ? [file] : [option, file];
  });
  const load = isPanic ? "--load-panic" : "--load";
  return [command, load, ...files, ...listOfTexts(block["options"])].join(" ");
}

/** `deploy: true`: the files of the deployment before go where the block says that they are. */
async function fetchFiles(context: RunContext, block: BootBlock): Promise<void> {
  for (const { key, labels, placeholder } of FILES) {
    const to = block[key];
    if (typeof to !== "string" || to === "") continue;
    const file = deployedFile(context, labels) ?? (await tftpFile(context, key, placeholder));
    if (file === undefined) {
      const there = [...(context.slots.find(imagesSlot)?.keys() ?? [])].join(", ") || "none";
      const message = `kexec: deploy: true, but no image ${labels.join(" or ")} was deployed (there are ${there})`;
      throw new JobFailure("Job", message);
    }
    const url = await serveFile(context, file);
    await runOnDut(context, `wget -q -O ${shellQuote(to)} ${shellQuote(url)}`);
  }
}

function deployedFile({ slots }: RunContext, labels: readonly string[]): string | undefined {
  const images = slots.find(imagesSlot);
  return labels.map((label) => images?.get(label)).find((found) => found !== undefined)?.path;
}

/** What is offered by TFTP, which may be in a folder of the machine: what is served by http is the job's own. */
async function tftpFile(
  { slots, job, level }: RunContext,
  key: string,
  placeholder: string,
): Promise<string | undefined> {
  const offered = slots.find(tftpFilesSlot);
  const name = slots.find(placeholdersSlot)?.[placeholder] ?? "";
  if (!offered || !name.startsWith(`${offered.tftpPath}/`)) return undefined;
  const own = path.join(job.scratch, `kexec-${level}-${key}`);
  await copyFile(path.join(offered.folder, name.slice(offered.tftpPath.length + 1)), own);
  return own;
}
