import type { Transport } from "../console/transport.ts";
import type { RunContext } from "../pipeline/action.ts";
import {
  containerArgv,
  keepUntilEnd,
  removeContainer,
  type ContainerOptions,
} from "./container.ts";
import { processTransport } from "./process-transport.ts";
import { ptyTransport } from "./pty-transport.ts";

/**
 * Starts a container whose terminal is a console. Closing it removes the container, and so does the end of the job.
 *
 * @throws JobFailure Infrastructure when there is no client.
 */
export async function containerTransport(
  context: RunContext,
  options: ContainerOptions,
  command: readonly string[],
): Promise<Transport> {
  const { job, log } = context;
  const argv = containerArgv(job, options, command);
  log.debug(`Calling: ${JSON.stringify(argv)}`);
  const kept = keepUntilEnd(context, options);
  const { input } = options;
  const transport = await (input === "terminal" ? ptyTransport(argv) : processTransport(argv));
  return {
    ...transport,
    close: async () => {
      if (!kept.isGone) await removeContainer(job, options);
      kept.isGone = true;
      await transport.close();
    },
  };
}
