import * as v from "valibot";

/** What people write down about a job. */

/** What a person found to be at fault, which may be another than what the job's error type says. */
export const CAUSES = ["product", "test", "job", "lab", "unclear"] as const;
export type Cause = (typeof CAUSES)[number];

export const MOST_ANNOTATION_BYTES = 2048;

const text = v.pipe(
  v.string(),
  // Forms end their lines with CR LF.
  v.transform((given) => given.replaceAll("\r\n", "\n").trim()),
  v.minLength(1, "expected some text"),
  v.maxBytes(MOST_ANNOTATION_BYTES, `expected at most ${MOST_ANNOTATION_BYTES} bytes`),
);
const cause = v.optional(v.picklist(CAUSES, `expected one of ${CAUSES.join(", ")}`));

/** `POST /api/v1/jobs/ID/annotations` answers 201 with the annotation. */
export const annotateSchema = v.strictObject({ text, cause });
export type Annotate = v.InferOutput<typeof annotateSchema>;
