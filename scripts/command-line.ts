/** What `read` (parseArgs) reads of the line of scripts/NAME; what it refuses ends the command with 2, in one line. */
export function readCommandLine<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const said = (error as Error).message.replace(/\. To specify a positional.*/s, "");
    return refuse(name, said.replaceAll("\n", " "));
  }
}

/** The number that an option has; anything else, or one below `least`, ends the command with 2. */
export function numberOf(name: string, option: string, text: string, least = 0): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number) && number >= least) return number;
  return refuse(name, `--${option} ${text}: expected a number, ${least} or more`);
}

/** Says what is wrong with the line of scripts/NAME, and ends it with 2. */
export function refuse(name: string, why: string): never {
  console.error(`scripts/${name}: ${why}\nscripts/${name} --help says more`);
  process.exit(2);
}
