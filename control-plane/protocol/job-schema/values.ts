import * as v from "valibot";
import { listOf, nonEmptyText, text } from "#protocol/schema-parts.ts";
import { anyOf } from "./choices.ts";

/** Single values of the full schema, with Python's ways: true is the number 1, false is 0 (JOB.md 0). */

const isNumber = (input: unknown): boolean =>
  typeof input === "number" || typeof input === "boolean";

/** A number, whole or not. */
export const atLeast = (least: number) =>
  v.pipe(
    v.custom<number | boolean>(
      (input) => isNumber(input) && Number(input) >= least,
      `expected a number of at least ${least}`,
    ),
    v.metadata({ type: "number", minimum: least }),
  );

export const wholeNumber = v.pipe(
  v.custom<number | boolean>(
    (input) => isNumber(input) && Number.isInteger(Number(input)),
    "expected a whole number",
  ),
  v.metadata({ type: "integer" }),
);

export const texts = listOf(text);
export const nonEmptyTexts = listOf(nonEmptyText);

/** The one or the other; a text that does not fit is told as a text. */
export const textOr = (other: v.GenericSchema, plain: v.GenericSchema = text) =>
  anyOf([plain, other], (input) => (typeof input === "object" && input !== null ? 1 : 0));
export const textOrTexts = textOr(texts);

/** JOB.md 7: of a test suite. */
export const suiteName = v.pipe(
  text,
  v.regex(/^[-_a-zA-Z0-9.]+$/, "expected letters, digits, -, _ and . only"),
);

/** JOB.md 5.4, written so that no text takes long to try. */
export const dockerImage = v.pipe(
  text,
  v.regex(
    /^[a-z0-9][a-z0-9._/:-]*[a-z0-9](:[a-zA-Z0-9_][a-zA-Z0-9._-]*)?$/,
    "expected the name of a Docker image",
  ),
);
