import { runCommand } from "../../host/spawn.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { Outlet, PowerIo } from "./outlet.ts";

/**
 * Sets a line of a GPIO chip by `gpioset` of libgpiod 1 or 2, which say it differently. Whether a line keeps its level
 * when no program holds it is up to the chip: those of small boards do.
 */
export async function set(outlet: Outlet, on: boolean, io: PowerIo): Promise<void> {
  const value = `${outlet.index}=${on ? 1 : 0}`;
  const options = activeLow(outlet);
  const args =
    (await majorVersion("gpioset", io)) >= 2
      ? // Without `-t 0` it would hold the line until it is killed.
        [...options, "-t", "0", "-c", outlet.address, value]
      : [...options, "--mode=exit", outlet.address, value];
  await run("gpioset", args, io);
}

export async function get(outlet: Outlet, io: PowerIo): Promise<boolean> {
  if ((await majorVersion("gpioget", io)) < 2) {
    // It would make the line an input, and so switch the board.
    const message = "gpioget of libgpiod 1 can't read a line without changing it: libgpiod 2 can";
    throw new JobFailure("Configuration", message);
  }
  const options = [...activeLow(outlet), "--as-is", "--numeric"];
  const output = await run("gpioget", [...options, "-c", outlet.address, outlet.index], io);
  if (output === "0" || output === "1") return output === "1";
  throw new JobFailure("Infrastructure", `gpioget: expected 0 or 1, got ${JSON.stringify(output)}`);
}

const activeLow = ({ activeLow: isLow }: Outlet): string[] => (isLow ? ["--active-low"] : []);

async function majorVersion(program: string, io: PowerIo): Promise<number> {
  const output = await run(program, ["--version"], io);
  const version = /\(libgpiod\) v(\d+)/.exec(output)?.[1];
  if (version !== undefined) return Number(version);
  const message = `${program} --version: expected "(libgpiod) v…", got ${JSON.stringify(output.slice(0, 100))}`;
  throw new JobFailure("Infrastructure", message);
}

async function run(program: string, args: string[], { signal, say }: PowerIo): Promise<string> {
  say([program, ...args].join(" "));
  const { status, output } = await runCommand([program, ...args], { signal });
  const said = output.trim();
  if (status === 0) return said;
  const message = `${program} ended with exit code ${status}: ${said.slice(-300)}`;
  throw new JobFailure("Infrastructure", message);
}
