import { runCli } from "../../control-plane/cli/main.ts";

export interface CliRun {
  /** What was printed so far, and what was said on standard error. */
  readonly out: string;
  readonly said: string;
  /** The exit code. */
  readonly ended: Promise<number>;
  /** Resolves when output or talk has the text; throws when the command ends without it. */
  shows(text: string): Promise<void>;
  /** The first Ctrl-C. */
  interrupt(): void;
}

type Answer = () => string | Promise<string>;

/**
 * One command line in this process, as `pumice` would run it with no configuration but `env`. `answer` gives what the
 * person says when asked; without one nobody sits there.
 */
export function startCli(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  {
    useColours = false,
    answer,
    input,
  }: { useColours?: boolean; answer?: Answer | undefined; input?: string } = {},
): CliRun {
  const stop = new AbortController();
  const waiting = new Set<() => void>();
  let out = "";
  let said = "";
  const look = () => {
    for (const check of waiting) check();
  };
  const terminal = {
    out: (text: string) => ((out += `${text}\n`), look()),
    say: (text: string) => ((said += `${text}\n`), look()),
    useColours,
    ...(input === undefined ? {} : { input: async () => input }),
    ...(answer === undefined
      ? {}
      : { ask: async (question: string) => ((said += `${question}\n`), answer()) }),
  };
  const ended = runCli(args, terminal, stop.signal, { XDG_CONFIG_HOME: "/nonexistent", ...env });
  return {
    get out() {
      return out;
    },
    get said() {
      return said;
    },
    ended,
    interrupt: () => stop.abort(),
    shows: async (text) => {
      const shown = new Promise<true>((resolve) => {
        const check = () => (out + said).includes(text) && resolve(true);
        waiting.add(check);
        check();
      });
      const found = await Promise.race([shown, ended.then(() => (out + said).includes(text))]);
      if (!found) throw new Error(`the command ended without ${text}:\n${out}${said}`);
    },
  };
}

/** The same, run to its end. */
export async function cli(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  answer?: Answer,
): Promise<{ code: number; out: string; said: string }> {
  const run = startCli(args, env, { answer });
  const code = await run.ended;
  return { code, out: run.out, said: run.said };
}
