import type { DeviceView } from "#protocol/api.ts";

/** As `scheduler.devices.show` tells of a device (API.md 4). */
export function deviceDetails(device: DeviceView) {
  const { physical_owner: user, physical_group: group } = device;
  return {
    hostname: device.hostname,
    device_type: device.device_type,
    health: device.health,
    state: device.state,
    health_job: device.last_health_report_job ?? false,
    description: orNull(device.description),
    pipeline: true,
    // LAVA has the first no more, and the others only if they are set, but lavacli's export asks for all three.
    public: true,
    user: user ?? null,
    group: group ?? null,
    has_device_dict: true,
    worker: device.worker,
    current_job: device.current_job ?? null,
    tags: device.tags,
  };
}

/** As a list tells of it. */
export function deviceEntry({ hostname, device_type, health, state, current_job }: DeviceView) {
  const entry = { hostname, type: device_type, health, state };
  return { ...entry, current_job: current_job ?? null, pipeline: true };
}

/** What LAVA's oldest methods say of a device in one word. */
export function deviceStatus({ state, health }: Pick<DeviceView, "state" | "health">): string {
  if (state !== "Idle") return state.toLowerCase();
  if (health === "Retired") return "retired";
  return health === "Good" || health === "Unknown" ? "idle" : "offline";
}

/** LAVA has no empty descriptions. */
export const orNull = (text: string): string | null => (text === "" ? null : text);
