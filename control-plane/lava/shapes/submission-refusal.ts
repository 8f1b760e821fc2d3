/**
 * A refused submission in LAVA's words, where it has some that scripts look for (API.md 4 and 5); what we know better, where and why,
 * stands behind them in brackets. `message`: as the rules put it, `line 1, column 1, visibility: the key "visibility" is missing`.
 */
export function submissionRefusal(message: string): string {
  const why = message.replace(/^the job was refused: /, "");
  const [, path = "", fault = why] = /^line \d+, column \d+(?:, ([^:]*))?: (.*)$/s.exec(why) ?? [];
  const type = /^unknown device type "([^"]*)"/.exec(fault)?.[1];
  if (type !== undefined)
    return `Devices unavailable: Device type '${type}' is unavailable. (${why})`;
  const words = lavaWords(path, fault);
  return `Problem with submitted job data: ${words === undefined ? why : `${words} (${why})`}`;
}

/** What LAVA's schema says of such a fault; undefined where its words would not be the same. */
function lavaWords(path: string, fault: string): string | undefined {
  if (path === "" && fault.startsWith("expected a mapping")) return "expected a dictionary";
  if (!isMissingKey(fault)) return undefined;
  return `required key not provided @ data${lavaPath(path)}`;
}

export const isMissingKey = (fault: string): boolean => /^the key "[^"]*" is missing/.test(fault);

/** `actions[0].deploy` as `['actions'][0]['deploy']`. */
export const lavaPath = (path: string): string =>
  path
    .split(/\.|(?=\[)/)
    .filter((part) => part !== "")
    .map((part) => (/^\[\d+\]$/.test(part) ? part : `['${part}']`))
    .join("");
