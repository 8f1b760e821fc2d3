import { refusal } from "../../host/device-methods.ts";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { processTransport } from "../../drivers/process-transport.ts";
import { runCommand } from "../../host/spawn.ts";
import { sshTarget, type SshTarget } from "../../host/ssh-options.ts";
import { requireTool } from "../../host/tool.ts";
import { groupMessagesSlot } from "../../pipeline/group-calls.ts";
import { multinodeSettings } from "../../pipeline/group.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, overlayTarballSlot, promptsSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { openConsole } from "../connection/open-console.ts";
import { loginSteps } from "../login/login.ts";
import { runOnDut } from "../login/shell-command.ts";
import { exportDeviceEnv, expectShell } from "../login/shell-session.ts";

/** A system that runs already and is reached by ssh; the overlay comes by scp (DISPATCHER.md 12). */
export const sshBoot: BootStrategy = {
  family: "boot",
  name: "ssh",
  refuses: ({ method }, job) => refusal("boot", "ssh", method, job),
  action: (block, context) => ({
    name: "login-ssh",
    retries: true,
    gives: [consoleSlot, promptsSlot],
    steps: [
      scpDeploy(block),
      prepareSsh(block),
      sshConnection(block),
      // No kernel starts here, and what one says meanwhile goes to another console.
      ...loginSteps(
        { ...block, ignore_kernel_messages: true },
        { ...context, hasShell: false },
        { kernelStart: false },
      ),
      expectShell,
      exportDeviceEnv,
      scpOverlayUnpack,
    ],
  }),
};

/** Name of the overlay in the home folder of the user on the DUT; there is none without tests. */
const remoteOverlaySlot = slot<string>("remote-overlay");

const scpDeploy = (block: BootBlock): Action => ({
  name: "scp-deploy",
  onTimeout: "Infrastructure",
  validate: async ({ job }) => {
    requireTool("scp");
    // Of a guest its host says the address, later.
    sshTarget(job, messageOf(block) && "host");
  },
  run: async (context) => {
    const { job, slots, log } = context;
    slots.clear(remoteOverlaySlot);
    const overlay = slots.find(overlayTarballSlot);
    if (overlay === undefined) return log.debug("no test needs an overlay: nothing to copy");
    const name = `lava-${job.jobId}-overlay.tar.gz`;
    await copy(context, dutOf(block, context), overlay, name);
    slots.put(remoteOverlaySlot, name);
    context.record({ success: name });
  },
});

async function copy(
  context: RunContext,
  { options, port, user, host }: SshTarget,
  file: string,
  name: string,
): Promise<void> {
  const { signal, log } = context;
  const address = host.includes(":") ? `[${host}]` : host;
  const scp = (...more: string[]) => {
    const argv = ["scp", ...more, ...options, "-P", port, file, `${user}@${address}:${name}`];
    log.debug(`Calling: ${JSON.stringify(argv)}`);
    const onLine = (line: string): void => log.debug(`>> ${line}`);
    return runCommand(argv as [string, ...string[]], { signal, onLine });
  };
  let { status, output } = await scp();
  if (status !== 0 && /subsystem request failed|sftp-server/.test(output)) {
    log.debug("the DUT has no sftp server: copying as scp did before it needed one");
    ({ status, output } = await scp("-O"));
  }
  if (status === 0) return;
  const said = output.trim().split("\n").at(-1) ?? "";
  const message = `Unable to copy ${path.basename(file)} to ${user}@${host} port ${port}: scp ended with exit code ${status}${said && `: ${said}`}`;
  throw new JobFailure("Infrastructure", message);
}

/** LAVA's place to tell which DUT it is: that of a guest is known by now. */
const prepareSsh = (block: BootBlock): Action => ({
  name: "prepare-ssh",
  validate: async ({ job }) => {
    const message = messageOf(block);
    if (!message || multinodeSettings(job.definition)) return;
    const text = `parameters.hostID: the DUT's address is to come from the message ${JSON.stringify(message.id)} of another node, and this is no multinode job`;
    throw new JobFailure("Job", text);
  },
  run: async (context) => {
    const { login, port } = dutOf(block, context);
    context.log.debug(`the DUT is ${login}, port ${port}`);
  },
});

/** The message that has a guest's address: `parameters: {hostID: ID, host_key: KEY}` (JOB.md 6). */
function messageOf({ parameters }: BootBlock): { id: string; key: string } | undefined {
  const { hostID: id, host_key: key = "ipaddr" } = parameters ?? {};
  return id === undefined ? undefined : { id: String(id), key: String(key) };
}

/** @throws JobFailure Job when no call of the job has been told the address. */
function dutOf(block: BootBlock, { job, slots }: RunContext): SshTarget {
  const message = messageOf(block);
  if (!message) return sshTarget(job);
  const { id, key } = message;
  const address = slots.find(groupMessagesSlot)?.get(id)?.get(key);
  if (address !== undefined) return sshTarget(job, address);
  const text = `parameters.hostID: nothing has asked for the message ${id} with ${key}: give the deploy block "protocols: {lava-multinode: [{action: prepare-scp-overlay, request: lava-wait, messageID: ${id}, message: {${key}: $${key}}}]}"`;
  throw new JobFailure("Job", text);
}

const sshConnection = (block: BootBlock): Action => ({
  name: "ssh-connection",
  gives: [consoleSlot],
  onTimeout: "Infrastructure",
  validate: async () => requireTool("ssh"),
  run: async (context) => {
    const { slots, signal, log } = context;
    await slots.find(consoleSlot)?.close();
    const argv = sshCommand(dutOf(block, context));
    log.debug(`Calling: ${JSON.stringify(argv)}`);
    const transport = await processTransport(argv);
    openConsole(context, transport);
    signal.throwIfAborted();
  },
});

/** A terminal on the DUT although there is none here, and no character of what is typed means anything to ssh. */
const sshCommand = ({ login, port, options }: SshTarget): [string, ...string[]] => [
  "ssh",
  "-tt",
  "-e",
  "none",
  ...options,
  "-p",
  port,
  login,
];

const scpOverlayUnpack: Action = {
  name: "scp-overlay-unpack",
  needs: [consoleSlot],
  run: async (context) => {
    const name = context.slots.find(remoteOverlaySlot);
    if (name === undefined) return;
    await runOnDut(context, `tar -C / -xzf ~/${name} && rm -f ~/${name}`);
  },
};
