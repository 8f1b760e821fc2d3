import * as v from "valibot";
import { issueWords } from "#protocol/issue-words.ts";
import { AppError } from "../domain/app-error.ts";

const JSON_LIMIT = 1024 * 1024;

/** The body as UTF-8 text, kept byte for byte. Throws `too_large` or, when it is not UTF-8, `invalid`. */
export async function readText(request: Request, limitBytes: number): Promise<string> {
  const bytes = await readBytes(request, limitBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new AppError("invalid", "the body is not UTF-8 text", { cause });
  }
}

/** The body. Throws `too_large`. */
export async function readBytes(request: Request, limitBytes: number): Promise<Uint8Array> {
  const announced = request.headers.get("content-length");
  if (Number(announced) > limitBytes) throw tooLarge(limitBytes);
  // Whoever says how much it is can't send more; Node.js's own body is cheaper read than a stream of it.
  if (announced !== null && /^\d+$/.test(announced)) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (bytes.length > limitBytes) throw tooLarge(limitBytes);
    return bytes;
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limitBytes) throw tooLarge(limitBytes);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The body as JSON of this shape. Throws `invalid` with the place of the first mistake. */
export async function readJson<S extends v.GenericSchema>(
  request: Request,
  schema: S,
  limitBytes = JSON_LIMIT,
): Promise<v.InferOutput<S>> {
  const text = await readText(request, limitBytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError("invalid", "the body is not JSON", { cause });
  }
  return parse(schema, value, "body");
}

/** A value of this shape; `what` names it in the refusal. */
export function parse<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  what: string,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new AppError("invalid", `${v.getDotPath(issue) ?? what}: ${issueWords(issue)}`);
}

const tooLarge = (limitBytes: number) =>
  new AppError("too_large", `the body has more than ${limitBytes} bytes`);
