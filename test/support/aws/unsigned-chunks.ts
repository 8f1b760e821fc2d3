import { AwsRefusal } from "./exchange.ts";

/**
 * Decodes `aws-chunked` as the SDK sends a stream of unknown checksum: lines of `HEX\r\n`, the bytes, `\r\n`, ending in
 * `0\r\n` and trailing headers. Throws AwsRefusal where it is cut off or broken.
 */
export function decodeUnsignedChunks(sent: Buffer): {
  body: Buffer;
  trailers: Record<string, string>;
} {
  const chunks: Buffer[] = [];
  let at = 0;
  const line = () => {
    const end = sent.indexOf("\r\n", at);
    if (end === -1) throw incomplete();
    const text = sent.toString("latin1", at, end);
    at = end + 2;
    return text;
  };
  for (;;) {
    const size = line();
    if (!/^[0-9a-f]+$/i.test(size)) throw incomplete();
    const length = Number.parseInt(size, 16);
    if (length === 0) break;
    if (at + length + 2 > sent.length) throw incomplete();
    chunks.push(sent.subarray(at, at + length));
    at += length;
    if (line() !== "") throw incomplete();
  }
  const trailers: Record<string, string> = {};
  for (let text = line(); text !== ""; text = line()) {
    const [name = "", ...value] = text.split(":");
    trailers[name.toLowerCase()] = value.join(":").trim();
  }
  return { body: Buffer.concat(chunks), trailers };
}

const incomplete = () =>
  new AwsRefusal(400, "IncompleteBody", "The chunks of the body are cut off or broken.");
