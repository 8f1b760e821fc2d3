// The licences of what a bundle has in it: most ask that their text goes along with every copy.
import type { Metafile } from "esbuild";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");

/** One whose text is in no file of an npm package, such as a runtime's. */
export interface Notice {
  readonly name: string;
  readonly text: string;
}

/**
 * Pumice's own licence, then a section for each npm package of which something is in these bundles, by name. The same bundles
 * give the same bytes. Throws for a package without one.
 */
export async function thirdPartyNotices(
  metafiles: readonly Metafile[],
  more: readonly Notice[] = [],
): Promise<string> {
  const packages = await Promise.all(foldersOf(metafiles).map((folder) => noticeOf(folder)));
  packages.sort((a, b) => (a.name < b.name ? -1 : 1));
  const own = { name: "Pumice", text: await readFile(path.join(root, "LICENSE"), "utf8") };
  const line = "=".repeat(80);
  return [own, ...packages, ...more]
    .map(({ name, text }) => `${line}\n${name}\n${line}\n\n${text.replaceAll("\r", "").trim()}\n`)
    .join("\n");
}

/** An npm package of which something is in a bundle. */
export interface Part {
  readonly name: string;
  readonly version: string;
  /** As its package.json has it, an SPDX expression. */
  readonly license?: string;
}

/** The npm packages in these bundles. */
export const partsOf = async (metafiles: readonly Metafile[]): Promise<Part[]> =>
  Promise.all(
    foldersOf(metafiles).map(async (folder) => {
      const { name, version, license } = await manifestOf(folder);
      return { name, version, ...(license ? { license } : {}) };
    }),
  );

const foldersOf = (metafiles: readonly Metafile[]): string[] => [
  ...new Set(metafiles.flatMap((one) => packagesIn(one))),
];

/** What fell out as unused is in no output. */
function packagesIn({ outputs }: Metafile): string[] {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  return inputs.flatMap(([file, { bytesInOutput }]) => {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
    return folder === undefined || bytesInOutput === 0 ? [] : [path.resolve(root, folder)];
  });
}

const manifestOf = async (folder: string): Promise<Part> =>
  JSON.parse(await readFile(path.join(folder, "package.json"), "utf8")) as Part;

async function noticeOf(folder: string): Promise<Notice> {
  const { name, version, license } = await manifestOf(folder);
  const files = (await readdir(folder)).filter((file) =>
    /^(licen[cs]e|copying|notice)/i.test(file),
  );
  const texts = await Promise.all(
    files.sort().map((file) => readFile(path.join(folder, file), "utf8")),
  );
  const text = texts.length > 0 ? texts.join("\n") : await licenceInReadme(folder);
  if (text === undefined) throw new Error(`${name} ${version} comes without its licence's text`);
  return { name: `${name} ${version} (${license ?? "see below"})`, text };
}

/** Its last section, of that name. */
const licenceInReadme = async (folder: string): Promise<string | undefined> =>
  /^# Licen[cs]e\s+(Copyright[^#]+)$/im.exec(
    await readFile(path.join(folder, "README.md"), "utf8"),
  )?.[1];
