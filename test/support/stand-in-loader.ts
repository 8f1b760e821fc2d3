import { writeFileSync } from "node:fs";
import path from "node:path";

export interface LoaderBehaviour {
  /** What commands answer; `boot` hands over, and an unknown one says nothing. */
  readonly answers?: Readonly<Record<string, string>>;
  /** Characters that get lost, counted from the first one that is typed at the prompt. */
  readonly loses?: readonly number[];
  readonly echoes?: boolean;
  /** It comes to its prompt by itself. */
  readonly interrupts?: boolean;
}

/**
 * A bootloader's line editor as a program on standard input and output: it says that it can be interrupted, echoes what is
 * typed, forgets the line on Ctrl-C, and prints each line that it executes as `RUN <line>`. The shell command to start it.
 */
export function standInLoader(folder: string, behaviour: LoaderBehaviour = {}): string {
  const file = path.join(folder, "loader.mjs");
  writeFileSync(
    file,
    `const { answers = {}, loses = [], echoes = true, interrupts = true } = ${JSON.stringify(behaviour)};
const say = (text) => process.stdout.write(text);
let interrupted = !interrupts, typed = 0, line = "";
say("\\r\\nLoader 1.0\\r\\n" + (interrupts ? "Hit any key to stop autoboot:  2 " : "=> "));
process.stdin.setEncoding("utf8").on("data", (text) => {
  for (const character of text) take(character);
});
function take(character) {
  if (!interrupted) {
    interrupted = true;
    return say("\\b\\b\\b 0 \\r\\n=> ");
  }
  if (character === "\\u0003") {
    line = "";
    return say("<INTERRUPT>\\r\\n=> ");
  }
  if (character === "\\n") {
    const command = line;
    line = "";
    say("\\r\\n");
    if (command !== "") say("RUN " + command + "\\r\\n");
    if (command === "boot") return say("Starting kernel ...\\r\\nLinux version 6.1\\r\\nroot@dut:~# ");
    if (answers[command]) say(answers[command] + "\\r\\n");
    return say("=> ");
  }
  if (loses.includes(typed++)) return;
  line += character;
  if (echoes) say(character);
}
`,
  );
  return `exec '${process.execPath}' '${file}'`;
}
