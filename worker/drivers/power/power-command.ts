import { setTimeout as sleep } from "node:timers/promises";
import { HttpError } from "../../host/http-client.ts";
import { requireTool } from "../../host/tool.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import * as gpio from "./gpio.ts";
import { onOff, redacted, type Outlet, type PowerDriver, type PowerIo } from "./outlet.ts";
import * as pdudaemon from "./pdudaemon.ts";
import * as shelly from "./shelly.ts";
import * as snmp from "./snmp.ts";
import { outletTable } from "./snmp-tables.ts";
import * as tasmota from "./tasmota.ts";
import * as uhubctl from "./uhubctl.ts";

interface Entry {
  readonly driver: PowerDriver;
  /** Its address and outlet, for help. */
  readonly usage: string;
  readonly address: RegExp;
  readonly outlet: RegExp;
  /** The program that it starts. */
  readonly tool?: string;
}

/** The switches that are spoken natively. A new one is a file and a line here. */
export const POWER_DRIVERS: Readonly<Record<string, Entry>> = {
  gpio: {
    driver: gpio,
    usage: "gpio CHIP LINE",
    address: /^[\w/]+$/,
    outlet: /^\d+$/,
    tool: "gpioset",
  },
  pdudaemon: {
    driver: pdudaemon,
    usage: "pdudaemon http://DAEMON:16421/SWITCH PORT",
    address: /^https?:\/\/[^/]+\/[^/]+$/,
    outlet: /^\S+$/,
  },
  shelly: {
    driver: shelly,
    usage: "shelly http://HOST RELAY (from 0)",
    address: /^https?:\/\/[^/]+\/?$/,
    outlet: /^\d+$/,
  },
  snmp: {
    driver: snmp,
    usage: "snmp snmp://COMMUNITY@HOST/VENDOR OUTLET",
    address: /^snmp:\/\/[^/]+\/\S+$/,
    outlet: /^\d+(\.\d+)*$/,
  },
  tasmota: {
    driver: tasmota,
    usage: "tasmota http://HOST RELAY (from 1)",
    address: /^https?:\/\/[^/]+\/?$/,
    outlet: /^\d+$/,
  },
  uhubctl: {
    driver: uhubctl,
    usage: "uhubctl HUB PORT",
    address: /^\d+(-\d+(\.\d+)*)?$/,
    outlet: /^\d+$/,
    tool: "uhubctl",
  },
};

export const POWER_VERBS = ["on", "off", "cycle", "status"] as const;
type Verb = (typeof POWER_VERBS)[number];

/** How long an outlet is off in a `cycle`, seconds: supplies have to run empty. */
const DEFAULT_DELAY_SECONDS = 5;
/** A switch that was just asked something else may be deaf for a moment. */
const ATTEMPTS = 3;
const PAUSE_MS = 500;

/** A dictionary's command that this program runs itself, instead of starting another. */
export const isPowerCommand = ([program]: readonly string[]): boolean => program === "pumice-power";

/**
 * `DRIVER ADDRESS OUTLET on|off|cycle|status [--delay SECONDS] [--active-low]`: switches an outlet, or says as its last
 * line whether it is on. Each step is tried three times.
 *
 * @throws JobFailure Configuration for other words, Infrastructure when the switch does not obey.
 */
export async function runPowerCommand(words: readonly string[], io: PowerIo): Promise<void> {
  const { entry, outlet, verb, delaySeconds } = parse(words, "pumice-power");
  const { driver } = entry;
  const { signal, say } = io;
  switch (verb) {
    case "on":
    case "off":
      return persist(io, () => driver.set(outlet, verb === "on", io));
    case "status":
      return say(onOff(await persist(io, () => driver.get(outlet, io))));
    case "cycle":
      if (driver.cycle) return persist(io, async () => driver.cycle?.(outlet, delaySeconds, io));
      await persist(io, () => driver.set(outlet, false, io));
      say(`off for ${delaySeconds} s`);
      await sleep(delaySeconds * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
      return persist(io, () => driver.set(outlet, true, io));
  }
}

/** As far as can be said without asking the switch. @throws JobFailure Configuration or Infrastructure. */
export function checkPowerCommand(words: readonly string[], where: string): void {
  const { entry } = parse(words, `${where}: pumice-power`);
  if (entry.tool) requireTool(entry.tool);
}

interface Parsed {
  readonly entry: Entry;
  readonly outlet: Outlet;
  readonly verb: Verb;
  readonly delaySeconds: number;
}

function parse(words: readonly string[], where: string): Parsed {
  const fail = (message: string): never => {
    throw new JobFailure("Configuration", `${where}: ${message}`);
  };
  const [name = "", address = "", index = "", verb = "", ...options] = words;
  const entry = Object.hasOwn(POWER_DRIVERS, name) ? POWER_DRIVERS[name] : undefined;
  const known = Object.keys(POWER_DRIVERS).join(", ");
  if (!entry) return fail(`there is no driver ${JSON.stringify(name)} (there are ${known})`);
  if (!entry.address.test(address) || (address.includes("://") && !URL.canParse(address))) {
    return fail(`expected ${entry.usage}, not the address ${JSON.stringify(redacted(address))}`);
  }
  if (name === "snmp") {
    const table = outletTable(new URL(address));
    if (typeof table === "string") return fail(table);
  }
  if (!entry.outlet.test(index)) {
    return fail(`expected ${entry.usage}, not the outlet ${JSON.stringify(index)}`);
  }
  if (!POWER_VERBS.some((one) => one === verb)) {
    return fail(`expected ${POWER_VERBS.join(", ")} after the outlet, not ${JSON.stringify(verb)}`);
  }
  let delaySeconds = DEFAULT_DELAY_SECONDS;
  let activeLow = false;
  for (let n = 0; n < options.length; n++) {
    const option = options[n] ?? "";
    if (option === "--active-low" && name === "gpio") activeLow = true;
    else if (option === "--delay" && /^\d+(\.\d+)?$/.test(options[n + 1] ?? "")) {
      delaySeconds = Number(options[++n]);
    } else if (option === "--delay") {
      return fail(`--delay: expected seconds, not ${JSON.stringify(options[n + 1] ?? "")}`);
    } else
      return fail(`unexpected ${option}: there are --delay SECONDS, and --active-low for gpio`);
  }
  return { entry, outlet: { address, index, activeLow }, verb: verb as Verb, delaySeconds };
}

async function persist<T>({ signal, say }: PowerIo, attempt: () => Promise<T>): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      const isSwitch = error instanceof HttpError || error instanceof JobFailure;
      if (!isSwitch || (error instanceof JobFailure && error.type === "Configuration")) throw error;
      const message = redacted(error.message);
      if (n === ATTEMPTS) throw new JobFailure("Infrastructure", message, { cause: error });
      say(`${message}; trying again`);
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}
