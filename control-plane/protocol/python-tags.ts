import type { ScalarTag, Tags } from "yaml";

/**
 * What a plain word means to PyYAML's safe loader (RENDER-TRAPS.md 3.2): YAML 1.1 with narrower booleans and
 * floats, octal `012`, sexagesimal `1:30`. Dates stay text, as no file of LAVA's has one.
 */
export function pythonTags(base: Tags): Tags {
  return [...base, ...MEANINGS];
}

/** What a plain word that isn't only its text means; undefined for one that is. */
export function plainWord(word: string): { value: unknown } | undefined {
  const meaning = MEANINGS.find(({ test }) => test.test(word));
  return meaning && { value: meaning.resolve(word) };
}

interface Meaning extends ScalarTag {
  readonly test: RegExp;
  readonly resolve: (word: string) => unknown;
}

const nothing: Meaning = {
  tag: "tag:yaml.org,2002:null",
  default: true,
  test: /^(?:~|null|Null|NULL|)$/,
  resolve: () => null,
};

const truth: Meaning = {
  tag: "tag:yaml.org,2002:bool",
  default: true,
  test: /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/,
  resolve: (word) => /^(?:yes|true|on)$/i.test(word),
};

const whole: Meaning = {
  tag: "tag:yaml.org,2002:int",
  default: true,
  test: /^(?:[-+]?0b[01_]*[01][01_]*|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]*[0-9a-fA-F][0-9a-fA-F_]*|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/,
  resolve: (word) => signed(word, (digits) => wholeNumber(digits)),
};

const real: Meaning = {
  tag: "tag:yaml.org,2002:float",
  default: true,
  test: /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
  resolve: (word) => signed(word, (digits) => realNumber(digits)),
};

const MEANINGS: readonly Meaning[] = [nothing, truth, whole, real];

function signed(word: string, magnitude: (digits: string) => number): number {
  const value = magnitude(word.replace(/^[-+]/, "").replaceAll("_", "").toLowerCase());
  return word.startsWith("-") ? -value : value;
}

function wholeNumber(digits: string): number {
  if (digits.includes(":")) return sexagesimal(digits);
  if (/^0[0-7]+$/.test(digits)) return Number.parseInt(digits, 8);
  return Number(digits);
}

function realNumber(digits: string): number {
  if (digits === ".inf") return Infinity;
  if (digits === ".nan") return NaN;
  return digits.includes(":") ? sexagesimal(digits) : Number(digits);
}

const sexagesimal = (digits: string): number =>
  digits.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
