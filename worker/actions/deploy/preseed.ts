import { copyFile, mkdir, open, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { dispatcherIp, inUrl } from "../../host/dispatcher-ip.ts";
import { ownCopy } from "../../host/own-copy.ts";
import { appendCpio } from "../../overlay/cpio.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { overlaySlot, overlayTarballSlot, tftpFilesSlot } from "../../pipeline/job-slots.ts";
import { publish } from "../../services/tftp-folder.ts";
import { fileSlot } from "./network-files.ts";
import { preseedLocalSlot, ramdiskSlot } from "./network-slots.ts";

/**
 * `configure-preseed-file`: the answers for an installer, completed so that the installed system has the overlay, and
 * put into the ramdisk too, for installers that look for them there.
 */
export const configurePreseed = (block: DeployBlock): Action => ({
  name: "configure-preseed-file",
  onTimeout: "Infrastructure",
  run: async (context) => {
    const { slots, log } = context;
    const preseed = slots.find(fileSlot("preseed"));
    if (preseed === undefined) return;
    if (slots.find(overlaySlot)) {
      const { size } = await stat(preseed);
      if (size > MAX_PRESEED_BYTES) {
        const message = `preseed has ${size} bytes: expected a text of at most ${MAX_PRESEED_BYTES}`;
        throw new JobFailure("Job", message);
      }
      await ownCopy(preseed);
      if (block["os"] === "debian_installer") await addLateCommand(context, preseed);
      if (block["os"] === "centos_installer") await addPostScript(context, preseed);
    }
    const ramdisk = slots.find(ramdiskSlot);
    if (!ramdisk) return;
    const name = path.basename(preseed);
    const folder = path.join(context.job.scratch, `preseed-${context.level}`);
    await mkdir(folder, { recursive: true });
    await copyFile(preseed, path.join(folder, name));
    const file = await open(ramdisk.path, "r+");
    await appendCpio(file, folder, "").finally(() => file.close());
    slots.put(preseedLocalSlot, name);
    log.debug(`the ramdisk has /${name}`);
  },
});

/** It is changed in memory; answers are some KiB. */
const MAX_PRESEED_BYTES = 1 << 20;

/** The overlay is in the installer's ramdisk: it is copied to the new system. An answer given twice counts the last time. */
async function addLateCommand({ slots, log }: RunContext, preseed: string): Promise<void> {
  const { lavaDir } = slots.take(overlaySlot);
  const text = await readFile(preseed, "utf8");
  const own = `mkdir -p /target${path.posix.dirname(lavaDir)} && cp -a ${lavaDir} /target${lavaDir}`;
  const given = [
    ...text.replace(/\\\n/g, " ").matchAll(/^d-i\s+preseed\/late_command\s+string\s+(.*)$/gm),
  ];
  const before = given.at(-1)?.[1]?.trim();
  const command = before ? `${before}; ${own}` : own;
  await writeFile(preseed, `${text.trimEnd()}\nd-i preseed/late_command string ${command}\n`);
  log.debug(`late_command: ${command}`);
}

/** The installed system fetches the overlay itself. */
async function addPostScript(context: RunContext, preseed: string): Promise<void> {
  const { slots, job } = context;
  const overlay = slots.take(overlayTarballSlot);
  const name = `ramdisk/${path.basename(overlay)}`;
  const tftpPath = await publish(job, slots.take(tftpFilesSlot), overlay, name);
  const port = Number(job.dispatcher["tftp_port"] ?? 69);
  const url = `tftp://${inUrl(dispatcherIp(job.dispatcher))}${port === 69 ? "" : `:${port}`}/${tftpPath}`;
  const text = await readFile(preseed, "utf8");
  await writeFile(preseed, `${text.trimEnd()}\n%post\ncurl -s ${url} | tar -C / -xz\n%end\n`);
}
