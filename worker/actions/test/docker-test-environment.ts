import { listOfTexts } from "../../host/list-of-texts.ts";
import type { JobContext } from "../../pipeline/action.ts";

/** What a test in a container may know of the board: how to find, reach and switch it (TEST-SHELL.md 2). */
export function* dockerTestEnvironment({
  device,
}: JobContext): Generator<readonly [string, unknown]> {
  const keys = device as Record<string, unknown>;
  const commands = device.commands ?? {};
  const serial = keys["adb_serial_number"];
  if (serial) yield ["ANDROID_SERIAL", String(serial)];
  const board = device.device_info?.[0]?.["board_id"];
  if (board) yield ["LAVA_BOARD_ID", String(board)];
  yield* connections(commands);
  yield* switches(commands);
  for (const [section, delay] of Object.entries(device.character_delays ?? {})) {
    if (delay) yield [`LAVA_${section.toUpperCase()}_CHARACTER_DELAYS`, String(delay)];
  }
}

type Commands = Readonly<Record<string, unknown>>;

function* connections(commands: Commands): Generator<readonly [string, unknown]> {
  const primary = commands["connect"];
  if (primary) yield ["LAVA_CONNECTION_COMMAND", String(primary)];
  const named = (commands["connections"] ?? {}) as Record<
    string,
    { connect?: unknown; tags?: unknown } | null
  >;
  for (const [name, connection] of Object.entries(named)) {
    if (!connection?.connect) continue;
    const command = String(connection.connect);
    yield [`LAVA_CONNECTION_COMMAND_${name.toUpperCase().replace(/\W/g, "_")}`, command];
    if (!primary && listOfTexts(connection.tags).includes("primary")) {
      yield ["LAVA_CONNECTION_COMMAND", command];
    }
  }
}

function* switches(commands: Commands): Generator<readonly [string, unknown]> {
  for (const key of ["hard_reset", "power_on", "power_off", "connect"]) {
    const list = listOfTexts(commands[key]);
    if (list.length > 0) yield [`LAVA_${key.toUpperCase()}_COMMAND`, list.join(" && ")];
  }
}
