import type { Session, Varbind } from "net-snmp";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { onOff, redacted, type Outlet, type PowerIo } from "./outlet.ts";
import { outletTable, type OutletTable } from "./snmp-tables.ts";

/** Net-snmp doubles it at each retry: 1 + 2 + 4 s at most. */
const TIMEOUT_MS = 1000;
const RETRIES = 2;

/** Switches an outlet of a rack's power strip by SNMP 1 or 2c: the address is `snmp://COMMUNITY@HOST/VENDOR`. */
export async function set(outlet: Outlet, on: boolean, io: PowerIo): Promise<void> {
  const { control } = tableOf(outlet);
  const oid = `${control.oid}.${outlet.index}`;
  const value = on ? control.on : control.off;
  io.say(`SNMP set ${oid} = ${value}`);
  const { ObjectType } = await import("net-snmp");
  await withSession(outlet, io, (session, done) =>
    session.set([{ oid, type: ObjectType.Integer, value }], done),
  );
}

export async function get(outlet: Outlet, io: PowerIo): Promise<boolean> {
  const { state } = tableOf(outlet);
  const oid = `${state.oid}.${outlet.index}`;
  const [varbind] = await withSession(outlet, io, (session, done) => session.get([oid], done));
  const value = Number(varbind?.value);
  io.say(`SNMP get ${oid} = ${value}`);
  if (value === state.on || value === state.off) return value === state.on;
  const known = `${state.on} for ${onOff(true)} or ${state.off} for ${onOff(false)}`;
  throw new JobFailure("Infrastructure", `SNMP: ${oid} is ${value}: expected ${known}`);
}

function tableOf({ address }: Outlet): OutletTable {
  const found = outletTable(new URL(address));
  if (typeof found !== "string") return found;
  throw new JobFailure("Configuration", `${redacted(address)}: ${found}`);
}

async function withSession(
  { address }: Outlet,
  { signal }: PowerIo,
  ask: (session: Session, done: (error: Error | null, varbinds?: Varbind[]) => void) => void,
): Promise<Varbind[]> {
  // Few labs need it, and it is large.
  const snmp = await import("net-snmp");
  const url = new URL(address);
  const community = decodeURIComponent(url.username) || "private";
  const session = snmp.createSession(url.hostname, community, {
    port: Number(url.port || 161),
    retries: RETRIES,
    timeout: TIMEOUT_MS,
    version: url.searchParams.get("version") === "1" ? snmp.Version1 : snmp.Version2c,
  });
  const close = (): void => session.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    const varbinds = await new Promise<Varbind[]>((resolve, reject) => {
      session.on("error", reject);
      ask(session, (error, answer = []) => (error ? reject(error) : resolve(answer)));
    });
    const wrong = varbinds.find((varbind) => snmp.isVarbindError(varbind));
    if (wrong) throw new Error(snmp.varbindError(wrong));
    return varbinds;
  } catch (cause) {
    signal.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new JobFailure("Infrastructure", `SNMP: ${redacted(address)}: ${why}`, { cause });
  } finally {
    signal.removeEventListener("abort", close);
    session.close();
  }
}
