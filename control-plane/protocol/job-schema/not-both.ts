import * as v from "valibot";
import { rule } from "#protocol/schema-parts.ts";
import { has } from "./choices.ts";

/** The mapping without one of the two keys. */
export const notBoth = (
  [one, other]: readonly [string, string],
  schema: v.GenericSchema,
): v.GenericSchema =>
  v.pipe(
    schema,
    rule((input) =>
      has(input, one) && has(input, other)
        ? [{ path: [other], message: `it can't stand beside ${one}: expected one of them` }]
        : [],
    ),
    v.metadata({ not: { required: [one, other] } }),
  );
