import type { Loader } from "../templates/frame.ts";
import { firstOf, folderLoader, stockTemplates } from "../stock-templates.ts";

/** Device types of the folders that the command line names, the first that has one first; Pumice's own after them. */
export const templateFolders = (folders: readonly string[]): Loader =>
  firstOf(...folders.map(folderLoader), stockTemplates());
