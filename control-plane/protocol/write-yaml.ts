import { stringify } from "yaml";
import { readYaml } from "./read-yaml.ts";

/** YAML from which `readYaml`, and PyYAML with it, read this very value; plain data only. */
export function writeYaml(value: unknown): string {
  const plain = stringify(value, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false });
  // What looks like something else to one of the two readers is left to quotes, all of it.
  return JSON.stringify(readYaml(plain).value) === JSON.stringify(value) ? plain : quoted(value);
}

/** JSON is YAML, but for characters that YAML takes for line breaks or does not take at all. */
const quoted = (value: unknown): string =>
  `${JSON.stringify(value, undefined, 1).replace(ODD, escaped)}\n`;

const ODD = /[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]/g;
const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
