import { JobFailure } from "../../pipeline/job-failure.ts";
import { askJson } from "./ask-http.ts";
import { onOff, redacted, type Outlet, type PowerIo } from "./outlet.ts";

/** Switches a relay of a Shelly plug, of the first generation (`/relay`) or a later one (`/rpc`): it is asked which. */
export async function set(outlet: Outlet, on: boolean, io: PowerIo): Promise<void> {
  if (!(await isFirstGeneration(outlet, io))) {
    const answer = await askJson(outlet, `/rpc/Switch.Set?id=${outlet.index}&on=${on}`, io);
    if (typeof answer["was_on"] !== "boolean") throw unexpected(outlet, answer);
    return;
  }
  const answer = await askJson(outlet, `/relay/${outlet.index}?turn=${onOff(on)}`, io);
  if (answer["ison"] !== on) throw unexpected(outlet, answer);
}

export async function get(outlet: Outlet, io: PowerIo): Promise<boolean> {
  const first = await isFirstGeneration(outlet, io);
  const query = first ? `/relay/${outlet.index}` : `/rpc/Switch.GetStatus?id=${outlet.index}`;
  const answer = await askJson(outlet, query, io);
  const state = answer[first ? "ison" : "output"];
  if (typeof state !== "boolean") throw unexpected(outlet, answer);
  return state;
}

/** Every Shelly answers this one without a password; those since the second generation say `gen`. */
async function isFirstGeneration(outlet: Outlet, io: PowerIo): Promise<boolean> {
  const about = await askJson(outlet, "/shelly", io);
  if (typeof about["gen"] === "number") return false;
  if (typeof about["type"] === "string") return true;
  throw unexpected(outlet, about);
}

const unexpected = (outlet: Outlet, answer: object): JobFailure => {
  const said = JSON.stringify(answer).slice(0, 200);
  const message = `${redacted(outlet.address)}: relay ${outlet.index}: unexpected answer ${said}`;
  return new JobFailure("Infrastructure", message);
};
