/** The parts that `scripts/bench NAME ...` runs beside the table: what each is about. */
export const NAMED = {
  language: "what it costs to validate a job and to render a device",
  lambda: "cold starts of the cloud's function and the size of its code, on emulators",
  tftp: "the TFTP server beside tftpd-hpa in the same run: 64 MiB to a standard client",
  uboot: "what a U-Boot job with a ramdisk costs beyond the DUT's own time",
  "console-engine": "how fast a console is read with twenty patterns armed, and what the log costs",
  web: "what lists cost the server, how soon a line of the DUT is seen in a browser, how a long log scrolls",
} as const;

export type NamedPart = keyof typeof NAMED;

/** Those with options and a table of their own. */
const ALONE = {
  worker: "size, start, memory, idle CPU and throughput of the single files, side by side",
  console: "what noise on the line does to results",
  scale: "what each event costs in labs of growing size",
  lists: "how long REST lists take that look through a million jobs",
} as const;

const lines = (parts: Readonly<Record<string, string>>): string =>
  Object.entries(parts)
    .map(([name, about]) => `  ${name.padEnd(14)} ${about}`)
    .join("\n");

/** For `--help`. */
export const namedParts = (): string =>
  `Not in the table: scripts/bench NAME ... [--json] [--runs N]\n${lines(NAMED)}
or one by itself, with options of its own: scripts/bench NAME --help\n${lines(ALONE)}
and scripts/cost: what the lab costs in AWS.`;
