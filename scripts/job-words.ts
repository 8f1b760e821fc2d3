// What the submit page's editor can propose: the keys, words and explanations of docs/job.schema.json without its rules, in a tenth
// of its size. control-plane/ui/client/job-words.ts reads it.
import type { JobNode, JobWords } from "../control-plane/ui/client/job-words.ts";

interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly if?: Schema;
  readonly then?: Schema;
  readonly else?: Schema;
  readonly required?: readonly string[];
}

/** Equal parts of the schema become one node. Throws for a schema that contains itself. */
export function jobWords(schema: Schema): JobWords {
  const nodes: JobNode[] = [];
  const texts: string[] = [];
  const known = new Map<string, number>();
  const open = new Set<string>();

  const textOf = (text: string): number => {
    const index = texts.indexOf(text);
    return index === -1 ? texts.push(text) - 1 : index;
  };
  function add(node: JobNode): number {
    const shape = JSON.stringify(node);
    const index = known.get(shape) ?? nodes.push(node) - 1;
    known.set(shape, index);
    return index;
  }
  function target({ $ref: ref = "" }: Schema): Schema {
    const name = ref.replace("#/$defs/", "");
    const found = schema.$defs?.[name];
    if (!found || open.has(name)) throw new Error(`${ref} is missing, or contains itself`);
    return found;
  }
  function convert(one: Schema): number {
    if (one.$ref === undefined) return add(nodeOf(one));
    const inner = target(one);
    open.add(one.$ref.replace("#/$defs/", ""));
    const index = add({ ...nodeOf(inner), ...described(one) });
    open.delete(one.$ref.replace("#/$defs/", ""));
    return index;
  }
  const described = ({ description }: Schema): Pick<JobNode, "d"> =>
    description === undefined ? {} : { d: textOf(description) };

  function nodeOf(one: Schema): JobNode {
    const { properties = {}, additionalProperties: more, items } = one;
    const keys = Object.entries(properties).map(([key, inner]) => [key, convert(inner)] as const);
    const also = [...(one.anyOf ?? []), ...(one.oneOf ?? []), ...(one.allOf ?? [])];
    const words = one.enum?.filter((word) => typeof word === "string" || typeof word === "number");
    const types = [one.type ?? []].flat();
    const plain = also.filter((inner) => !inner.if && !isRule(inner)).map(convert);
    const cases = [one, ...also].flatMap(casesOf);
    return {
      ...described(one),
      ...(keys.length > 0 ? { p: Object.fromEntries(keys) } : {}),
      ...(typeof more === "object" && Object.keys(more).length > 0 ? { a: convert(more) } : {}),
      ...(items ? { i: convert(items) } : {}),
      ...(words && words.length > 0 ? { v: words.map(String) } : {}),
      ...(types.includes("boolean") && !words ? { b: 1 } : {}),
      ...(types.includes("object") ? { m: 1 } : {}),
      ...(types.includes("array") ? { l: 1 } : {}),
      ...(plain.length > 0 ? { o: plain } : {}),
      ...(cases.length > 0 ? { w: cases } : {}),
    };
  }
  /** `to: tmpfs`, or keys that are there; those of `else` come after. */
  function casesOf(one: Schema): NonNullable<JobNode["w"]> {
    if (!one.if || !one.then) return [];
    const [key, inner] = Object.entries(one.if.properties ?? {})[0] ?? [];
    const word = inner?.const;
    const then = convert(one.then);
    const test = word === undefined || key === undefined ? (one.if.required ?? []) : [key, word];
    const isWord = word !== undefined;
    return [[isWord ? 1 : 0, test.map(String), then], ...(one.else ? casesOf(one.else) : [])];
  }
  const root = convert(schema);
  return { root, nodes, texts };
}

/** What only says which keys go together. */
const isRule = (one: Schema): boolean =>
  one.$ref === undefined &&
  one.type === undefined &&
  one.enum === undefined &&
  one.items === undefined &&
  one.anyOf === undefined;
