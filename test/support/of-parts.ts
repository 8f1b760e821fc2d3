/** Says what is to be done at the end. */
export type OnClose = (end: End) => void;
type End = () => void | Promise<void>;

/**
 * Makes something of parts that have to be ended, the last one first: when it is closed, and when making it fails half-way, so that
 * no process outlives a test that could not begin.
 */
export async function ofParts<T extends object>(
  make: (onClose: OnClose) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const ends: End[] = [];
  const close = async (): Promise<void> => {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  };
  try {
    return { ...(await make((end) => void ends.push(end))), close };
  } catch (error) {
    await close();
    throw error;
  }
}
