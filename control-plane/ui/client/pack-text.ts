/** A text in gzip's form: a log becomes a tenth. */
export const packText = async (text: string): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await through(text, new CompressionStream("gzip")).arrayBuffer());

/** The text that was packed. */
export const unpackText = (packed: Uint8Array<ArrayBuffer>): Promise<string> =>
  through(packed, new DecompressionStream("gzip")).text();

const through = (
  body: string | Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): Response => new Response(new Blob([body]).stream().pipeThrough(stream));
