import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { printable } from "./printable.ts";

/** Where output goes: results to standard output, talk to standard error. */
export interface Terminal {
  out(text: string): void;
  say(text: string): void;
  readonly useColours: boolean;
  /** Asks the person who sits there, and gives the line they answer; absent when nobody does. */
  readonly ask?: (question: string, signal: AbortSignal) => Promise<string>;
  /** The same without showing what is typed. */
  readonly askHidden?: (question: string, signal: AbortSignal) => Promise<string>;
  /** All of standard input. */
  readonly input?: () => Promise<string>;
  /** Shows how far a long command is, in place of what it showed before; absent when nobody looks. */
  readonly progress?: (text: string) => void;
}

/** What a shell says of a program that writes to nobody: 128 and SIGPIPE's number. */
const NO_READER = 141;

/**
 * The real one. A reader of the output that goes away (`| head`) ends the program quietly; one of the talk
 * does not, as a control plane goes on without its log.
 */
export function realTerminal(): Terminal {
  const onGone = (stream: NodeJS.WriteStream, then: () => void) =>
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      then();
    });
  onGone(process.stdout, () => process.exit(NO_READER));
  onGone(process.stderr, () => {});
  return {
    out: (text) => void process.stdout.write(`${text}\n`),
    say: (text) => void process.stderr.write(`${text}\n`),
    useColours: process.stdout.isTTY && !process.env["NO_COLOR"],
    ...(process.stdin.isTTY ? { ask, askHidden } : { input }),
    ...(process.stderr.isTTY
      ? { progress: (text) => void process.stderr.write(`\r\u001b[K${text}`) }
      : {}),
  };
}

/** The terminal stays as it is, so that Ctrl-C is still a signal; the end of the input is an empty answer. */
async function ask(question: string, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    return await Promise.race([lines.question(question, { signal }), ended]);
  } finally {
    lines.close();
  }
}

/** Readline has the terminal meanwhile, and writes to nobody. */
async function askHidden(question: string, signal: AbortSignal): Promise<string> {
  process.stderr.write(question);
  const nobody = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nobody, terminal: true });
  lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    return await Promise.race([lines.question("", { signal }), ended]);
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}

async function input(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

const CODES = { dim: 2, red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 } as const;
export type Colour = keyof typeof CODES;

export const coloured = (terminal: Terminal, colour: Colour | undefined, text: string): string =>
  terminal.useColours && colour ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;

export type Cell = string | { text: string; colour: Colour | undefined };

/** Columns as wide as their widest cell; a cell may have a colour. */
export function table(
  terminal: Terminal,
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
): string {
  const cells = rows.map((row) =>
    row.map((cell) => {
      const { text, colour } = typeof cell === "string" ? { text: cell, colour: undefined } : cell;
      return { text: printable(text), colour };
    }),
  );
  const widths = head.map((title, column) =>
    cells.reduce((width, row) => Math.max(width, row[column]?.text.length ?? 0), title.length),
  );
  const line = (row: readonly { text: string; colour: Colour | undefined }[]): string =>
    row
      .map(({ text, colour }, column) => {
        const isLast = column === row.length - 1;
        return coloured(terminal, colour, isLast ? text : text.padEnd(widths[column] ?? 0));
      })
      .join("  ")
      .trimEnd();
  const title = line(head.map((text) => ({ text, colour: "dim" as const })));
  return [title, ...cells.map(line)].join("\n");
}
