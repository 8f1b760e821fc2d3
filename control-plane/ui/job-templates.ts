import { loadAssets } from "./assets.ts";

/** A job to start from. */
export interface JobTemplate {
  /** As in `/submit?template=NAME`. */
  readonly name: string;
  readonly title: string;
  /** One line. */
  readonly about: string;
  readonly text: string;
}

let read: Promise<readonly JobTemplate[]> | undefined;

/** The jobs of the documentation that the submit page offers; scripts/job-templates.ts has picked them. Read once. */
export const jobTemplates = (): Promise<readonly JobTemplate[]> => (read ??= readTemplates());

async function readTemplates(): Promise<readonly JobTemplate[]> {
  const assets = await loadAssets();
  const file = assets.find(assets.url("job-templates.json"));
  return JSON.parse(file?.body ?? "[]") as JobTemplate[];
}
