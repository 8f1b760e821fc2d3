import * as v from "valibot";
import { ClientError, type Client } from "../client.ts";

/** What the control plane told, in this shape. Throws ClientError. */
export function readAnswer<S extends v.GenericSchema>(
  client: Client,
  schema: S,
  answer: unknown,
): v.InferOutput<S> {
  const read = v.safeParse(schema, answer);
  if (read.success) return read.output;
  const [issue] = read.issues;
  const where = v.getDotPath(issue) ?? "the answer";
  throw new ClientError(
    `${client.url} tells what this pumice can't read: ${where}: ${issue.message}`,
  );
}
