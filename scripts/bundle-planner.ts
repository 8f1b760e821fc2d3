// The worker's planning as a module of its own, for the control plane, which starts it as a process (control-plane/plan-process.ts).
import { build, type Metafile } from "esbuild";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");

export async function bundlePlanner(outfile: string): Promise<Metafile> {
  const { metafile } = await build({
    entryPoints: [path.join(root, "worker/plan-main.ts")],
    absWorkingDir: root,
    outfile,
    bundle: true,
    minify: true,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "node22",
    logLevel: "warning",
    legalComments: "none",
    // A plan opens no serial port, and the native part is not there.
    external: ["@serialport/bindings-cpp", "@serialport/bindings-cpp/*"],
    // Packages that are CommonJS inside ask for Node's modules by require.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
  return metafile;
}
