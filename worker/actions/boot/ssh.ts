import { refusal } from "../../host/device-methods.ts";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { processTransport } from "../../drivers/process-transport.ts";
import { runCommand } from "../../host/spawn.ts";
import { sshTarget, type SshTarget } from "../../host/ssh-options.ts";
import { requireTool } from "../../host/tool.ts";
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
      scpDeploy,
      prepareSsh(block),
      sshConnection,
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

const scpDeploy: Action = {
  name: "scp-deploy",
  onTimeout: "Infrastructure",
  validate: async ({ job }) => {
    requireTool("scp");
    sshTarget(job);
  },
  run: async (context) => {
    const { job, slots, log } = context;
    slots.clear(remoteOverlaySlot);
    const overlay = slots.find(overlayTarballSlot);
    if (overlay === undefined) return log.debug("no test needs an overlay: nothing to copy");
    const name = `lava-${job.jobId}-overlay.tar.gz`;
    await copy(context, overlay, name);
    slots.put(remoteOverlaySlot, name);
    context.record({ success: name });
  },
};

async function copy(context: RunContext, file: string, name: string): Promise<void> {
  const { job, signal, log } = context;
  const { options, port, user, host } = sshTarget(job);
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

/** LAVA's place for the address of a guest that another node of the job has started. */
const prepareSsh = (block: BootBlock): Action => ({
  name: "prepare-ssh",
  validate: async () => {
    const id = block.parameters?.["hostID"];
    if (id === undefined) return;
    const message = `parameters.hostID: the DUT's address is to come from the message ${JSON.stringify(id)} of another node, and jobs of more than one node are not run yet`;
    throw new JobFailure("Job", message);
  },
  run: async ({ job, log }) => {
    const { login, port } = sshTarget(job);
    log.debug(`the DUT is ${login}, port ${port}`);
  },
});

const sshConnection: Action = {
  name: "ssh-connection",
  gives: [consoleSlot],
  onTimeout: "Infrastructure",
  validate: async () => requireTool("ssh"),
  run: async (context) => {
    const { job, slots, signal, log } = context;
    await slots.find(consoleSlot)?.close();
    const argv = sshCommand(sshTarget(job));
    log.debug(`Calling: ${JSON.stringify(argv)}`);
    const transport = await processTransport(argv);
    openConsole(context, transport);
    signal.throwIfAborted();
  },
};

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
