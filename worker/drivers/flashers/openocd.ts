import { listOfTexts } from "../../host/list-of-texts.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { filled, type Argv } from "./run-tool.ts";

/**
 * OpenOCD's command line from the dictionary: folders, files, then what selects the board, which needs the
 * probe's driver of a file, then the commands. `{LABEL}` is an image's path.
 */
export function openOcdArgv(
  { device }: JobContext,
  images: Readonly<Record<string, string>>,
): Argv {
  const method = (device.actions.boot.methods?.["openocd"] ?? {}) as {
    board_selection_cmd?: unknown;
    parameters?: { command?: unknown; options?: Record<string, unknown> | null } | null;
  };
  const { command, options } = method.parameters ?? {};
  const values = upperCased(images);
  const each = (flag: string, value: unknown): string[] =>
    listOfTexts(value).flatMap((text) => [flag, filled(text, values)]);
  const debug = options?.["debug"];
  return [
    typeof command === "string" && command !== "" ? command : "openocd",
    ...each("-s", options?.["search"]),
    ...each("-f", options?.["file"]),
    ...(debug === undefined || debug === null ? [] : [`-d${Number(debug)}`]),
    ...each("-c", method.board_selection_cmd || undefined),
    ...each("-c", options?.["command"]),
  ];
}

/** Labels as templates name them: `{BINARY}` for the image `binary`. */
export const upperCased = (images: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(images).map(([label, file]) => [label.toUpperCase(), file]));
