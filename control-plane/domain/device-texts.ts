import type { DeviceConfig, PutText } from "#protocol/lab.ts";
import { hasOnLab } from "./access.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { getDeviceItem, type DeviceRecord } from "./device-record.ts";
import { deviceKey } from "./keys.ts";
import { labTemplates } from "./own-templates.ts";
import { requireUser, type Principal } from "./principal.ts";
import {
  asProblems,
  faultText,
  renderedDevice,
  type DeviceSource,
  type RenderedDevice,
} from "./rendered-device.ts";
import { keptRendering } from "./kept-renderings.ts";
import { retrying } from "./retrying.ts";
import { changeText, findText, getText, type HowChanged, type TextRecord } from "./texts.ts";
import { getChangeableDevice, sightOf } from "./visible.ts";
import { without } from "./without.ts";

/** A mapping such as a job's `context`. */
export type JobContext = Readonly<Record<string, unknown>>;

/** A device's configuration for a job with this context; undefined when it has none at all. */
export async function renderStored(
  deps: Deps,
  device: Pick<DeviceRecord, "hostname" | "device_type">,
  context: JobContext = {},
): Promise<RenderedDevice | undefined> {
  const record = await findText(deps, "device", device.hostname);
  if (!record) return undefined;
  const loader = await labTemplates(deps);
  const { hostname, device_type } = device;
  const name = JSON.stringify([hostname, device_type, record.version, context]);
  return keptRendering(loader, name, () =>
    renderedDevice(sourceOf(device, record), loader, { context }),
  );
}

/** The configuration of a device without any job, as YAML. Throws `not_found`, or `invalid` when it does not render. */
export async function deviceConfiguration(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<string> {
  return (await deviceConfig(deps, principal, hostname)).text;
}

/**
 * What the device's dictionary renders to, at one of its versions and with a job's context. With the templates of
 * today: those have versions of their own. Throws `not_found`, or `invalid` when it does not render.
 */
export async function deviceConfig(
  deps: Deps,
  principal: Principal,
  hostname: string,
  { version, context = {} }: { version?: number | undefined; context?: JobContext } = {},
): Promise<DeviceConfig> {
  await requireSeeingTexts(deps, principal, hostname);
  const record = await getText(deps, "device", hostname, version);
  // One that was removed has versions still.
  const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
  const source = sourceOf({ hostname, device_type: device?.data.device_type ?? "" }, record);
  const rendered = renderedDevice(source, await labTemplates(deps), { context, withOrigins: true });
  requireUsable(source, rendered);
  const { text, value: configuration, origins, warnings } = rendered;
  return { hostname, version: record.version, configuration, text, origins, warnings };
}

/**
 * For whoever reads a device's texts: throws `not_found` for a device that they may not see. Texts of one that was removed are
 * for those who may see all of the lab.
 */
export async function requireSeeingTexts(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<void> {
  const sight = await sightOf(deps, principal);
  const device = (await deps.table.get<DeviceRecord>(deviceKey(hostname)))?.data;
  if (device ? await sight.device(device) : hasOnLab(sight.access, "view")) return;
  throw new AppError("not_found", `there is no device ${JSON.stringify(hostname)}`);
}

/** Replaces a device's dictionary. Throws `not_found`, `invalid` with the place of every mistake. */
export async function putDictionary(
  deps: Deps,
  principal: Principal,
  hostname: string,
  text: string,
  how: HowChanged = {},
): Promise<PutText> {
  return putDeviceText(deps, principal, hostname, { text, format: "dictionary" }, how);
}

/** Makes an old version of a device's text the current one. Throws `not_found`, or `invalid` when it does not render any more. */
export async function putBackDeviceText(
  deps: Deps,
  principal: Principal,
  hostname: string,
  version: number,
): Promise<PutText> {
  await requireSeeingTexts(deps, principal, hostname);
  const { text, format = "dictionary" } = await getText(deps, "device", hostname, version);
  const comment = `back to version ${version}`;
  return putDeviceText(deps, principal, hostname, { text, format }, { comment });
}

async function putDeviceText(
  deps: Deps,
  principal: Principal,
  hostname: string,
  { text, format }: Pick<DeviceSource, "text" | "format">,
  how: HowChanged,
): Promise<PutText> {
  const user = requireUser(principal);
  const { device_type } = (await getChangeableDevice(deps, user, hostname)).data;
  const { warnings } = await checkDeviceText(deps, { hostname, device_type, text, format });
  const change = { kind: "device", name: hostname, text, format, user: user.name, ...how } as const;
  const { record, changed } = await retrying(async () => {
    const { version } = await getDeviceItem(deps, hostname);
    const changedText = await changeText(deps, change);
    const { operations } = changedText;
    const stays = { check: deviceKey(hostname), when: { version } };
    if (changedText.changed) await deps.table.transact([stays, ...operations]);
    return changedText;
  });
  await deps.signals.requestPass(device_type);
  const said = warnings.map((one) => `${one.template} line ${one.line}: ${one.message}`);
  return { ...without(record, "name", "text"), changed, warnings: said };
}

/** Throws `invalid` with the place of every mistake unless a server takes this device as valid (DEVICE.md 1.1). */
export async function checkDeviceText(deps: Deps, source: DeviceSource): Promise<RenderedDevice> {
  const rendered = renderedDevice(source, await labTemplates(deps));
  requireUsable(source, rendered, rendered.refusals);
  return rendered;
}

function requireUsable(
  source: DeviceSource,
  { faults }: RenderedDevice,
  refusals: RenderedDevice["refusals"] = [],
): void {
  const [first, ...rest] = [...faults, ...refusals];
  if (!first) return;
  const more = rest.length > 0 ? ` (and ${rest.length} more)` : "";
  const message = `${source.format}: ${faultText(first)}${more}`;
  throw new AppError("invalid", message, { problems: asProblems(source, [first, ...rest]) });
}

const sourceOf = (
  { hostname, device_type }: Pick<DeviceRecord, "hostname" | "device_type">,
  { text, format = "dictionary" }: TextRecord,
): DeviceSource => ({ hostname, device_type, text, format });
