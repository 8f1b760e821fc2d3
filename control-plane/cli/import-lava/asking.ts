import * as v from "valibot";
import type { LabSection } from "#protocol/lab.ts";
import { ClientError } from "../client.ts";
import { LavaFault, type LavaCall } from "./lava-client.ts";
import { lavaFile } from "./lava-schemas.ts";

/** Something that was not brought over, or not as it was. */
export interface ImportWarning {
  section: LabSection;
  /** Empty for the section as a whole. */
  name: string;
  message: string;
}

/** How a LAVA is read: what it can't or won't tell becomes a warning, a LAVA that can't be reached an error. */
export interface Asking {
  warn: (section: LabSection, name: string, message: string) => void;
  /** Undefined, with a warning, when LAVA refuses; what isn't there (404) is undefined without one. */
  ask: <S extends v.GenericSchema>(
    schema: S,
    about: { section: LabSection; name?: string; what: string },
    method: string,
    ...params: (string | boolean)[]
  ) => Promise<v.InferOutput<S> | undefined>;
  /** The same for a file. */
  askFile: (
    about: { section: LabSection; name: string; what: string },
    method: string,
    name: string,
  ) => Promise<string | undefined>;
  /** Some at a time, results in order; `what` is shown with how many are done. */
  each: <T, R>(what: string, items: readonly T[], read: (item: T) => Promise<R>) => Promise<R[]>;
}

const AT_A_TIME = 4;
const NOT_FOUND = 404;

export function asking(
  call: LavaCall,
  warnings: ImportWarning[],
  progress: (text: string) => void = () => {},
): Asking {
  const warn: Asking["warn"] = (section, name, message) =>
    void warnings.push({ section, name, message });

  const ask: Asking["ask"] = async (schema, { section, name = "", what }, method, ...params) => {
    let answer: unknown;
    try {
      answer = await call(method, ...params);
    } catch (error) {
      if (!(error instanceof LavaFault)) throw error;
      if (error.code !== NOT_FOUND) warn(section, name, `${what} can't be read: ${error.message}`);
      return undefined;
    }
    const read = v.safeParse(schema, answer);
    if (read.success) return read.output;
    const where = v.getDotPath(read.issues[0]) ?? "its answer";
    throw new ClientError(`${method}: ${where}: ${read.issues[0].message}: is this a LAVA?`);
  };

  return {
    warn,
    ask,
    async askFile(about, method, name) {
      const file = await ask(lavaFile, about, method, name);
      if (file === undefined || typeof file === "string") return file;
      try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file);
      } catch {
        warn(about.section, about.name, `${about.what} is not UTF-8 text and was left out`);
        return undefined;
      }
    },
    async each(what, items, read) {
      const results: Awaited<ReturnType<typeof read>>[] = [];
      let next = 0;
      let done = 0;
      const lane = async () => {
        for (let index = next++; index < items.length; index = next++) {
          try {
            results[index] = await read(items[index] as (typeof items)[number]);
          } catch (error) {
            // The other lanes go no further.
            next = items.length;
            throw error;
          }
          progress(`${what}: ${++done} of ${items.length}`);
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, lane));
      return results;
    },
  };
}
