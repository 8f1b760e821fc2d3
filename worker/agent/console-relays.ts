import type { Power } from "#protocol/console-requests.ts";
import { MAX_PIECE_BYTES, type ConsoleTicket } from "#protocol/consoles.ts";
import { HttpError } from "../host/http-client.ts";
import { Backoff } from "./backoff.ts";
import { Bell } from "./bell.ts";
import type { Clock } from "./clock.ts";
import type { ControlPlane } from "./control-plane.ts";

/** As a job's transport (console/transport.ts), of which the agent knows no more. */
interface Transport {
  onData(listener: (bytes: Uint8Array) => void): void;
  onEnd(listener: (why: string) => void): void;
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A device's console, and its power, for a person. */
export interface OpenedDevice {
  readonly transport: Transport;
  /** Rejects with the reason for people. */
  readonly power: (power: Power, signal: AbortSignal) => Promise<void>;
  /** Lets the job go on in whose pause it is. */
  readonly goOn?: () => Promise<void>;
  /** The session is over, as its transport's end alone does not say. */
  readonly leave?: () => Promise<void>;
}
export type OpenDevice = (ticket: ConsoleTicket, signal: AbortSignal) => Promise<OpenedDevice>;

interface RelayDeps {
  readonly controlPlane: Pick<ControlPlane, "consoleOutput" | "consoleInput">;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly openDevice: OpenDevice | undefined;
  /** A device's connection is closed. */
  readonly closed?: () => void;
}

/** Kept for a control plane that is slow; what a device says beyond it is left out, and that is said. */
const MAX_KEPT_BYTES = 1024 * 1024;
const HOLD_SECONDS = 20;
const LONGEST_MS = 24 * 3600 * 1000;
const AWAY = "\r\n[the worker's agent was away: what was typed meanwhile is lost]\r\n";

/** Relays the consoles that sync names, until it does not or `signal` is aborted. A session that ended is not begun again. */
export function consoleRelays(deps: RelayDeps, signal: AbortSignal) {
  const relays = new Map<string, { stop: AbortController; isOpen: boolean }>();
  const running = new Map<Promise<void>, ConsoleTicket>();
  const start = (ticket: ConsoleTicket, openDevice: OpenDevice): void => {
    const stop = new AbortController();
    const relay = { stop, isOpen: true };
    relays.set(ticket.id, relay);
    deps.log(`console of ${ticket.device_hostname}: opened`);
    const done = relayConsole(deps, openDevice, ticket, { agent: signal, session: stop.signal })
      .catch((error: unknown) => deps.log(`console of ${ticket.device_hostname}: ${String(error)}`))
      .finally(() => {
        relay.isOpen = false;
        running.delete(done);
        deps.log(`console of ${ticket.device_hostname}: closed`);
        deps.closed?.();
      });
    running.set(done, ticket);
  };
  return {
    apply(tickets: readonly ConsoleTicket[]): void {
      const wanted = new Set(tickets.map(({ id }) => id));
      for (const [id, { stop }] of relays) {
        if (wanted.has(id)) continue;
        stop.abort();
        relays.delete(id);
      }
      const { openDevice } = deps;
      if (!openDevice) return;
      for (const ticket of tickets) if (!relays.has(ticket.id)) start(ticket, openDevice);
    },
    /** Whether a device's own connection is open, or not closed yet. */
    has: (hostname: string): boolean =>
      [...running.values()].some(
        ({ device_hostname, job_id }) => device_hostname === hostname && job_id === undefined,
      ),
    isBusy: (): boolean => [...relays.values()].some(({ isOpen }) => isOpen),
    done: async (): Promise<void> => void (await Promise.all(running.keys())),
  };
}

async function relayConsole(
  deps: RelayDeps,
  openDevice: OpenDevice,
  { id, ...ticket }: ConsoleTicket,
  stop: { agent: AbortSignal; session: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([stop.agent, stop.session, over.signal]);
  const said = keptOutput();
  let device: OpenedDevice | undefined;
  try {
    device = await openDevice({ id, ...ticket }, signal);
    device.transport.onData((bytes) => said.add(bytes));
    device.transport.onEnd((why) => said.end(why));
  } catch (error) {
    if (signal.aborted) return;
    said.end(error instanceof Error ? error.message : String(error));
  }
  try {
    // Before the session is open for whoever types: what comes from then on is for this relay.
    const start = await persistently(deps, signal, () =>
      deps.controlPlane.consoleInput(id, { hold_seconds: 0 }, signal),
    );
    if (!start) return;
    const input = { id, from: start.next };
    await Promise.all([
      sendOutput(deps, id, said, signal).finally(() => over.abort()),
      device && takeInput(deps, input, device, said, signal),
    ]);
  } finally {
    // The next agent goes on with it.
    if (!stop.agent.aborted) await device?.leave?.();
    if (!stop.agent.aborted && ticket.off_at_end) await switchOff(deps, device, ticket);
    await device?.transport.close();
  }
}

type KeptOutput = ReturnType<typeof keptOutput>;

/** What the device said and the control plane has not yet. */
function keptOutput() {
  const bell = new Bell();
  let kept: Buffer = Buffer.alloc(0);
  let lost = 0;
  let ended: string | undefined;
  return {
    bell,
    add(bytes: Uint8Array): void {
      if (kept.length + bytes.length > MAX_KEPT_BYTES) lost += bytes.length;
      else kept = Buffer.concat([kept, bytes]);
      bell.ring();
    },
    /** Before all that is kept: the session is older than this relay. */
    noteAbsence(): void {
      kept = Buffer.concat([Buffer.from(AWAY), kept]);
    },
    end(why: string): void {
      ended ??= why.slice(0, 1000);
      bell.ring();
    },
    first(): Buffer {
      if (kept.length === 0 && lost > 0) {
        kept = Buffer.from(
          `\r\n[${lost} bytes left out: the device says more than can be sent]\r\n`,
        );
        lost = 0;
      }
      return kept.subarray(0, MAX_PIECE_BYTES);
    },
    taken: (bytes: number): void => void (kept = kept.subarray(bytes)),
    ended: (): string | undefined => (kept.length === 0 && lost === 0 ? ended : undefined),
  };
}

/** Ends when the session is over for either side. */
async function sendOutput(
  deps: RelayDeps,
  id: string,
  said: KeptOutput,
  signal: AbortSignal,
): Promise<void> {
  const stop = (): void => said.bell.ring();
  signal.addEventListener("abort", stop, { once: true });
  let next = 0;
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const piece = isFirst ? Buffer.alloc(0) : said.first();
    const ended = isFirst ? undefined : said.ended();
    if (!isFirst && piece.length === 0 && ended === undefined) {
      await said.bell.wait(deps.clock, LONGEST_MS);
      continue;
    }
    const request = { from: next, data: piece.toString("base64") };
    const reply = await persistently(deps, signal, () =>
      deps.controlPlane.consoleOutput(
        id,
        { ...request, ...(ended === undefined ? {} : { ended }) },
        signal,
      ),
    );
    if (!reply || reply.ended !== undefined || ended !== undefined) return;
    said.taken(Math.min(Math.max(0, reply.next - next), piece.length));
    if (isFirst && reply.next > 0) said.noteAbsence();
    next = reply.next;
  }
}

async function takeInput(
  deps: RelayDeps,
  { id, from: start }: { id: string; from: number },
  device: OpenedDevice,
  said: KeptOutput,
  signal: AbortSignal,
): Promise<void> {
  let from = start;
  while (!signal.aborted) {
    const asked = { hold_seconds: HOLD_SECONDS, from };
    const reply = await persistently(deps, signal, () =>
      deps.controlPlane.consoleInput(id, asked, signal),
    );
    if (!reply) return said.end("the control plane does not know this session any more");
    for (const { data, power, go_on } of reply.inputs) {
      if (data !== undefined) await type(device, data, said);
      if (power !== undefined) await switchPower(device, power, said, signal);
      if (go_on) await device.goOn?.().catch((error: unknown) => said.end(String(error)));
    }
    from = reply.next;
    if (reply.ended !== undefined) return said.end(reply.ended);
    if (reply.poll_seconds !== undefined) {
      await deps.clock.sleep(reply.poll_seconds * 1000, signal);
    }
  }
}

async function type({ transport }: OpenedDevice, data: string, said: KeptOutput): Promise<void> {
  try {
    await transport.write(Buffer.from(data, "base64"));
  } catch (error) {
    said.end((error as Error).message);
  }
}

async function switchPower(
  device: OpenedDevice,
  power: Power,
  said: KeptOutput,
  signal: AbortSignal,
): Promise<void> {
  const note = (text: string): void => said.add(Buffer.from(`\r\n[power ${power}: ${text}]\r\n`));
  try {
    await device.power(power, signal);
    note("done");
  } catch (error) {
    note(error instanceof Error ? error.message : String(error));
  }
}

/** The session is over: nobody hears what comes of it but the worker's log. */
async function switchOff(
  { log }: RelayDeps,
  device: OpenedDevice | undefined,
  { device_hostname: name }: Pick<ConsoleTicket, "device_hostname">,
): Promise<void> {
  try {
    await device?.power("off", new AbortController().signal);
    log(`console of ${name}: the device is switched off, as was asked for`);
  } catch (error) {
    log(`console of ${name}: the device can't be switched off: ${(error as Error).message}`);
  }
}

/** Tries until there is an answer; undefined when the session is gone or `signal` is aborted. */
async function persistently<T>(
  { clock }: RelayDeps,
  signal: AbortSignal,
  ask: () => Promise<T>,
): Promise<T | undefined> {
  const backoff = new Backoff(clock);
  while (!signal.aborted) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof HttpError && [400, 404, 410].includes(error.status)) return undefined;
      if (!signal.aborted) await clock.sleep(backoff.next(error), signal);
    }
  }
  return undefined;
}
