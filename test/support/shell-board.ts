import { writeFileSync } from "node:fs";
import path from "node:path";
import { plainBoard } from "./plain-board.ts";

/** A shell on a terminal of this machine, as a board that begins with its connection. */
export const SHELL_BOARD = { type: "board", prompt: "board:~# " } as const;

/** Its dictionary; its program is put into the folder. */
export function shellBoard(folder: string): string {
  const program = path.join(folder, "shell-board");
  writeFileSync(program, `stty sane\nexport ENV= PS1='${SHELL_BOARD.prompt}'\nexec sh -i\n`);
  return plainBoard(`{% set connection_command = 'sh ${program}' %}`);
}
