// The worker as one CommonJS script, which needs nothing beside it: the native serial port and the stock device
// templates are inside. A single executable application wants that form.
import { build, type Metafile, type Plugin } from "esbuild";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { thirdPartyNotices, type Notice } from "./third-party-notices.ts";

const root = path.resolve(import.meta.dirname, "..");
const prebuilds = path.join(root, "node_modules/@serialport/bindings-cpp/prebuilds");

export interface WorkerBundle {
  readonly outfile: string;
  /** The platform this is the single file of; none: a script for any runtime on any platform. */
  readonly platform?: "linux-x64" | "linux-arm64" | "linux-armv7";
  /** Instead of the sources' own. */
  readonly version?: string;
  readonly banner?: string;
  readonly plugins?: Plugin[];
  /** Packed fast in place of small: a second of a core less, for who uses the file once. */
  readonly isForOnce?: boolean;
  /** Of what the file has besides, its runtime. */
  readonly notices?: readonly Notice[];
}

/** Stands where the licences come once it is known what is in the bundle. */
const NOTICES = '"@@NOTICES@@"';

/** The same sources give the same bytes, wherever they are and whenever it is. What went in is in the answer. */
export async function bundleWorker(options: WorkerBundle): Promise<Metafile> {
  const { outfile, platform, version, banner, plugins = [] } = options;
  const packed = packer(options.isForOnce ? FAST : constants.BROTLI_MAX_QUALITY);
  const { metafile } = await build({
    entryPoints: [path.join(root, "worker/main.ts")],
    metafile: true,
    // Comments name sources by their path from here.
    absWorkingDir: root,
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    logLevel: "warning",
    legalComments: "none",
    // A single executable application has no import().
    supported: { "dynamic-import": false },
    // Bun would write this build's folder into the file.
    define: {
      __dirname: '"/"',
      ...(platform ? { PUMICE_PLATFORM: JSON.stringify(platform) } : {}),
    },
    banner: banner ? { js: banner } : {},
    plugins: [
      ...plugins,
      ...(version ? [calling(version)] : []),
      serialInside(addonFiles(platform), packed),
      templatesInside(packed),
      noticesInside,
    ],
  });
  const notices = await thirdPartyNotices([metafile], options.notices);
  const bundle = await readFile(outfile, "utf8");
  await writeFile(
    outfile,
    bundle.replace(NOTICES, () => packed(Buffer.from(JSON.stringify([["all", notices]])))),
  );
  return metafile;
}

const ADDONS = {
  "linux-x64": ["linux-x64/@serialport+bindings-cpp.glibc.node"],
  "linux-arm64": ["linux-arm64/@serialport+bindings-cpp.armv8.glibc.node"],
  "linux-armv7": ["linux-arm/@serialport+bindings-cpp.armv7.glibc.node"],
};
const MUSL_ADDONS = [
  "linux-x64/@serialport+bindings-cpp.musl.node",
  "linux-arm64/@serialport+bindings-cpp.armv8.musl.node",
  "linux-arm/@serialport+bindings-cpp.armv7.musl.node",
];
const addonFiles = (platform?: keyof typeof ADDONS): string[] =>
  platform ? ADDONS[platform] : [...Object.values(ADDONS).flat(), ...MUSL_ADDONS];

/** Instead of looking for a file, serialport's native part is loaded from the bundle. */
const serialInside = (files: string[], packed: Packer): Plugin => ({
  name: "serial port inside the bundle",
  setup(build) {
    build.onResolve({ filter: /^node-gyp-build$/ }, () => ({
      path: "serial-addons",
      namespace: "embedded",
    }));
    build.onLoad({ filter: /^serial-addons$/, namespace: "embedded" }, async () => {
      const addons = files.map(async (file) => {
        const addon = packed(await readFile(path.join(prebuilds, file)));
        // Node.js's name of the architecture.
        const arch = /^linux-(\w+)/.exec(file)?.[1];
        return `[${JSON.stringify(arch)}, ${addon}],\n`;
      });
      const contents = `
        const { loadEmbeddedAddon } = require("./worker/host/embedded.ts");
        const ADDONS = [\n${(await Promise.all(addons)).join("")}];
        module.exports = () => loadEmbeddedAddon(ADDONS);`;
      return { contents, loader: "js", resolveDir: root };
    });
  },
});

/** Instead of reading a folder, the stock templates are taken from the bundle. */
const templatesInside = (packed: Packer): Plugin => ({
  name: "templates inside the bundle",
  setup(build) {
    build.onLoad({ filter: /worker\/stock-template\.ts$/ }, async () => {
      const folder = path.join(root, "device-templates");
      const names = (await readdir(folder)).filter((name) => name.endsWith(".jinja2")).sort();
      const texts = await Promise.all(
        names.map(async (name) => [name, await readFile(path.join(folder, name), "utf8")] as const),
      );
      const all = packed(Buffer.from(JSON.stringify(texts)));
      const contents = `
        import { unpackTexts } from "./host/embedded.ts";
        let texts;
        export const stockTemplate = (name) => (texts ??= unpackTexts(${all})).get(name);`;
      return { contents, loader: "js", resolveDir: path.join(root, "worker") };
    });
  },
});

/** "pumice-worker licences" prints them. */
const noticesInside: Plugin = {
  name: "licences inside the bundle",
  setup(build) {
    build.onLoad({ filter: /worker\/third-party-notices\.ts$/ }, () => ({
      contents: `
        import { unpackTexts } from "./host/embedded.ts";
        export const thirdPartyNotices = () => unpackTexts(${NOTICES}).get("all");`,
      loader: "js",
      resolveDir: path.join(root, "worker"),
    }));
  },
};

const calling = (version: string): Plugin => ({
  name: "another version",
  setup(build) {
    build.onLoad({ filter: /control-plane\/protocol\/version\.ts$/ }, () => ({
      contents: `export const VERSION = ${JSON.stringify(version)};`,
    }));
  },
});

/** Of Brotli's qualities. */
const FAST = 4;

/** Bytes as a string literal on a line of its own: an error's message shows the whole line it comes from. */
type Packer = (bytes: Buffer) => string;

const packer =
  (quality: number): Packer =>
  (bytes) => {
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: quality,
      [constants.BROTLI_PARAM_LGWIN]: 18,
    };
    return `\n"${brotliCompressSync(bytes, { params }).toString("base64")}"\n`;
  };
