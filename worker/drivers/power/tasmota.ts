import { JobFailure } from "../../pipeline/job-failure.ts";
import { askJson } from "./ask-http.ts";
import { onOff, redacted, type Outlet, type PowerIo } from "./outlet.ts";

/** Switches a relay of a plug that runs Tasmota (its command interface, `/cm`). */
export async function set(outlet: Outlet, on: boolean, io: PowerIo): Promise<void> {
  const is = await command(outlet, `Power${outlet.index} ${on ? "On" : "Off"}`, io);
  if (is === on) return;
  const message = `${redacted(outlet.address)}: relay ${outlet.index} is still ${onOff(is)}`;
  throw new JobFailure("Infrastructure", message);
}

export const get = (outlet: Outlet, io: PowerIo): Promise<boolean> =>
  command(outlet, `Power${outlet.index}`, io);

async function command(outlet: Outlet, words: string, io: PowerIo): Promise<boolean> {
  const { username, password } = new URL(outlet.address);
  // Tasmota takes its password in the query; what a URL has in it is encoded as that needs it.
  const login = username === "" ? "" : `&user=${username}&password=${password}`;
  const answer = await askJson(outlet, `/cm?cmnd=${encodeURIComponent(words)}${login}`, io);
  // A plug with one relay answers without its number.
  const state =
    answer[`POWER${outlet.index}`] ?? (outlet.index === "1" ? answer["POWER"] : undefined);
  if (state === "ON" || state === "OFF") return state === "ON";
  const said = JSON.stringify(answer).slice(0, 200);
  const message = `${redacted(outlet.address)}: expected the state of relay ${outlet.index}, got ${said}: is there such a relay?`;
  throw new JobFailure("Infrastructure", message);
}
