import path from "node:path";
import { workerProgram } from "./worker-program.ts";

/** pumice-worker as one file, with the stand-in in place of the runner. Remove it after the tests. */
export const agentProgram = (): ReturnType<typeof workerProgram> =>
  workerProgram({
    plugins: [
      {
        name: "stand-in",
        setup: (bundler) =>
          bundler.onResolve({ filter: /^\.\.\/runner\.ts$/ }, () => ({
            path: path.join(import.meta.dirname, "stand-in-runner.ts"),
          })),
      },
    ],
  });
