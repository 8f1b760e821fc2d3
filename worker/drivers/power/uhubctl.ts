import { runCommand } from "../../host/spawn.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { onOff, type Outlet, type PowerIo } from "./outlet.ts";

/** Switches the power of a USB hub's port by `uhubctl`: the address is the hub's location, `1-1.2`. */
export async function set(outlet: Outlet, on: boolean, io: PowerIo): Promise<void> {
  const output = await run(outlet, ["-a", onOff(on)], io);
  const is = lastState(output, outlet);
  if (is === on) return;
  throw new JobFailure(
    "Infrastructure",
    `uhubctl: port ${outlet.index} of hub ${outlet.address} is still ${onOff(is)}: can this hub switch its ports?`,
  );
}

export const get = async (outlet: Outlet, io: PowerIo): Promise<boolean> =>
  lastState(await run(outlet, [], io), outlet);

/** `Port 3: 0103 power enable connect`: what it says last is how it is now. */
function lastState(output: string, { address, index }: Outlet): boolean {
  const states = [...output.matchAll(/^\s*Port (\S+): [0-9a-f]{4} ?(.*)$/gm)];
  const last = states.filter(([, port]) => port === index).at(-1);
  if (last) return /\bpower\b/.test(last[2] ?? "");
  const message = `uhubctl: no port ${index} of hub ${address} in ${JSON.stringify(output.slice(-300))}`;
  throw new JobFailure("Infrastructure", message);
}

async function run(
  { address, index }: Outlet,
  more: string[],
  { signal, say }: PowerIo,
): Promise<string> {
  const argv = ["uhubctl", "-l", address, "-p", index, ...more] as const;
  say(argv.join(" "));
  const { status, output } = await runCommand([...argv], { signal, onLine: say });
  if (status === 0) return output;
  const said = output.trim().slice(-300);
  throw new JobFailure("Infrastructure", `uhubctl ended with exit code ${status}: ${said}`);
}
