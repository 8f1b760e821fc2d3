import { readConnectionCommand } from "../../worker/drivers/connection-command.ts";
import { openTransport } from "../../worker/drivers/open-transport.ts";

/**
 * Run as a program, by whatever runtime a test wants: joins its own input and output to a connection command, says
 * `open` first, and closes the connection when its input ends.
 */
const [command = ""] = process.argv.slice(2);
const target = readConnectionCommand(command);
const transport = await openTransport("uart0", target, new AbortController().signal);
process.stdout.write("open\n");
transport.onData((bytes) => process.stdout.write(bytes));
transport.onEnd((why) => process.stdout.write(`\n${why}\n`));
for await (const typed of process.stdin) await transport.write(typed as Buffer);
await transport.close();
