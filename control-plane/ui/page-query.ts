import * as v from "valibot";

/** A field of a query string; blank is none. */
export const optionalText = v.optional(
  v.pipe(
    v.string(),
    v.transform((text) => text.trim() || undefined),
  ),
);
