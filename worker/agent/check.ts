/** Standard Schema's door into valibot's schemas, so that the agent needs no more of valibot. */
interface StandardSchema<T> {
  readonly "~standard": {
    validate(value: unknown): StandardResult<T> | Promise<StandardResult<T>>;
  };
}
type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** The value as its schema has it. Throws an error that begins with `name` when it is something else. */
export function check<T>(schema: StandardSchema<T>, value: unknown, name: string): T {
  const result = schema["~standard"].validate(value) as StandardResult<T>;
  if (result.issues === undefined) return result.value;
  throw new Error(`${name} is not what was expected: ${result.issues[0]?.message ?? ""}`);
}
