import * as v from "valibot";
import type { Scope } from "#protocol/sign-in.ts";
import type { Deps } from "../../domain/deps.ts";
import type { Principal } from "../../domain/principal.ts";
import { BAD_CALL, Fault } from "./fault.ts";
import type { XmlRpcValue } from "./xml-value.ts";

/** Who calls, and on what. */
export interface Call {
  readonly deps: Deps;
  readonly principal: Principal;
}

/** A method of the API. */
export interface Method {
  readonly name: string;
  /** What a caller's token must be good for; `anybody`: no caller is asked. */
  readonly scope: Scope | "anybody";
  /** For people: what it does, answers and refuses. */
  readonly about: string;
  /** `(job_id, start=0, end=None)` */
  readonly signature: string;
  /** Set where Pumice has no such thing on purpose: what to use in its place. */
  readonly instead?: string;
  readonly run: (call: Call, params: readonly XmlRpcValue[]) => Promise<XmlRpcValue>;
}

type Params = Readonly<Record<string, v.GenericSchema>>;
type Arguments<P extends Params> = { [K in keyof P]: v.InferOutput<P[K]> };

/** A method whose parameters come in the order of `params`, each checked; those that are optional may be nil. */
export function method<P extends Params>(
  name: string,
  scope: Method["scope"],
  params: P,
  about: string,
  run: (call: Call, args: Arguments<P>) => XmlRpcValue | Promise<XmlRpcValue>,
): Method {
  const signature = signatureOf(params);
  return {
    ...{ name, scope, about, signature },
    run: async (call, given) => run(call, readArguments(params, given, `${name}${signature}`)),
  };
}

/** One that clients may ask for and that Pumice has not: `instead` says what there is in its place. */
export const absent = (
  name: string,
  scope: Method["scope"],
  params: Params,
  instead: string,
): Method => ({
  ...method(name, scope, params, `Not in Pumice: ${instead}.`, () => {
    throw new Fault(400, `${name} is not in Pumice: ${instead}`);
  }),
  instead,
});

function readArguments<P extends Params>(
  params: P,
  given: readonly XmlRpcValue[],
  usage: string,
): Arguments<P> {
  const entries = Object.entries(params);
  if (given.length > entries.length) {
    throw new Fault(BAD_CALL, `${usage} was called with ${given.length} arguments`);
  }
  const args: Record<string, unknown> = {};
  for (const [index, [name, schema]] of entries.entries()) {
    const parsed = v.safeParse(schema, given[index]);
    if (!parsed.success) {
      const what = index < given.length ? parsed.issues[0].message : "it is missing";
      throw new Fault(BAD_CALL, `${usage}: argument ${name}: ${what}`);
    }
    args[name] = parsed.output;
  }
  return args as Arguments<P>;
}

function signatureOf(params: Params): string {
  const names = Object.entries(params).map(([name, schema]) => {
    const read = v.safeParse(schema, undefined);
    if (!read.success) return name;
    return `${name}=${read.output === undefined ? "None" : JSON.stringify(read.output)}`;
  });
  return `(${names.join(", ")})`;
}

/** Text, or bytes that are text in UTF-8, which clients send for files. */
export const text = v.pipe(
  v.union(
    [
      v.string(),
      v.pipe(
        v.custom<Uint8Array>((value) => value instanceof Uint8Array),
        v.transform((bytes) => new TextDecoder().decode(bytes)),
      ),
    ],
    "expected text",
  ),
);
export const name = v.pipe(v.string("expected a name"), v.maxLength(500, "expected a name"));
export const whole = v.pipe(v.number("expected a number"), v.integer("expected a whole number"));
export const fromZero = v.pipe(whole, v.minValue(0, "expected 0 or more"));
/** LAVA takes numbers for true and false. */
export const flag = v.union(
  [
    v.boolean(),
    v.pipe(
      v.number(),
      v.transform((number) => number !== 0),
    ),
  ],
  "expected true or false",
);
export const names = v.pipe(
  v.array(name, "expected a list of names"),
  v.maxLength(1000, "expected at most 1000 names"),
);
/** A job's id, as a number or as text; of a multinode group also `12.1`. */
export const jobId = v.union(
  [v.string(), v.pipe(v.number(), v.transform(String))],
  "expected the id of a job",
);
/** May be nil or left out. */
export const maybe = <S extends v.GenericSchema>(schema: S) =>
  v.pipe(
    v.nullish(schema),
    v.transform((value) => value ?? undefined),
  );
