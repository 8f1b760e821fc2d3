import { listOfTexts } from "../../host/list-of-texts.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { bootMethod } from "../../host/device-methods.ts";
import { filledWords, type Argv } from "./run-tool.ts";

interface PyOcd {
  readonly command: string;
  readonly options: readonly string[];
  readonly connectsFirst: boolean;
}

/** What the dictionary says of pyOCD; a device without a command has the one of older pyOCDs. */
export function readPyOcd(job: JobContext): PyOcd {
  const { command, options, connect_before_flash } = bootMethod(job, "pyocd");
  const words = listOfTexts(options).flatMap((option) =>
    filledWords(option, {}, "options of pyocd"),
  );
  const isNew = words[0] !== undefined && !words[0].startsWith("-");
  return {
    command:
      typeof command === "string" && command !== "" ? command : isNew ? "pyocd" : "pyocd-flashtool",
    options: words,
    connectsFirst: connect_before_flash === true,
  };
}

/**
 * One image on the probe with this serial number. `pyocd load` calls it --uid, `pyocd-flashtool` of before 0.20
 * --board; which of the two it is shows in the options, which begin with the subcommand.
 */
export function pyOcdArgv({ command, options }: PyOcd, serial: string, image: string): Argv {
  const [subcommand = ""] = options;
  return [
    command,
    ...options,
    subcommand.startsWith("-") || subcommand === "" ? "--board" : "--uid",
    serial,
    image,
  ];
}
