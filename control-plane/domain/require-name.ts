import * as v from "valibot";
import { AppError } from "./app-error.ts";

/** Throws `invalid` unless a name has the shape that such names have; `what` says what it is the name of. */
export function requireName(
  schema: v.GenericSchema<string, string>,
  name: string,
  what: string,
): void {
  const parsed = v.safeParse(schema, name);
  if (parsed.success) return;
  const message = `${JSON.stringify(name.slice(0, 200))} is not a ${what} name: ${parsed.issues[0].message}`;
  throw new AppError("invalid", message);
}
