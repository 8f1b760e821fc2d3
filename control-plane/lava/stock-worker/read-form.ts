import { AppError } from "../../domain/app-error.ts";

/** Of a request that is kept; what comes after it of one that is longer is read and forgotten. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;
const MAX_BYTES = 512 * 1024 * 1024;
const TAIL_BYTES = 200;

export interface Form {
  fields: URLSearchParams;
  /** It was too long: its first field is cut, and of the others only the last is there. */
  isCut: boolean;
}

/**
 * A form as a worker sends it. A log's sender sends 1000 records at a time, however long they are: of what is too long the
 * beginning is read, so that it may go on with the rest. Throws `too_large`.
 */
export async function readForm(request: Request): Promise<Form> {
  const kept: Uint8Array[] = [];
  let tail = new Uint8Array();
  let [size, keptBytes] = [0, 0];
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new AppError("too_large", `more than ${MAX_BYTES} bytes`);
    if (keptBytes < MAX_KEPT_BYTES) {
      const part = chunk.subarray(0, MAX_KEPT_BYTES - keptBytes);
      kept.push(part);
      keptBytes += part.length;
    }
    tail = joined([tail, chunk.subarray(-TAIL_BYTES)]).slice(-TAIL_BYTES);
  }
  const text = new TextDecoder().decode(joined(kept, keptBytes));
  if (size <= MAX_KEPT_BYTES) return { fields: new URLSearchParams(text), isCut: false };
  const last = new TextDecoder().decode(tail).split("&").at(-1) ?? "";
  // A cut may go through the escape of a character.
  const whole = text.replace(/%[\da-fA-F]?$/, "");
  return { fields: new URLSearchParams(`${whole}&${last}`), isCut: true };
}

function joined(
  parts: readonly Uint8Array[],
  size = parts.reduce((sum, part) => sum + part.length, 0),
) {
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
