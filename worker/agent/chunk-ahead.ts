import type { FileHandle } from "node:fs/promises";
import type { LogChunk, LogPosition } from "./log-chunk.ts";

/** A chunk and, when it was looked at ahead, whether it was uploaded: not if that failed, or if it is one that isn't. */
export interface ReadyChunk {
  readonly chunk: LogChunk;
  readonly uploaded?: Promise<boolean>;
}

interface Begun {
  readonly from: LogPosition;
  readonly handle: FileHandle;
  /** Undefined when there is none yet, or it can't be read: who comes there finds out. */
  readonly chunk: Promise<LogChunk | undefined>;
  readonly uploaded: Promise<boolean>;
}

/** The chunk that is read and brought to the storage while the one before it still is: only a commit has to wait for another. */
export class ChunkAhead {
  #begun: Begun | undefined;

  /** `upload` says whether it did. Both may fail: whatever is wrong shows again when the chunk's turn comes. */
  begin(
    from: LogPosition,
    handle: FileHandle,
    read: () => Promise<LogChunk | undefined>,
    upload: (chunk: LogChunk) => Promise<boolean>,
  ): void {
    const chunk = read().catch(() => undefined);
    const send = async (): Promise<boolean> => {
      const ready = await chunk;
      return ready !== undefined && upload(ready);
    };
    this.#begun = { from, handle, chunk, uploaded: send().catch(() => false) };
  }

  /** What was begun, if it is of this place. */
  async take(handle: FileHandle, { line, offset }: LogPosition): Promise<ReadyChunk | undefined> {
    const begun = this.#begun;
    const chunk = await this.drop();
    if (!begun || !chunk || begun.handle !== handle) return undefined;
    const { from, uploaded } = begun;
    return from.line === line && from.offset === offset ? { chunk, uploaded } : undefined;
  }

  /** Resolves once it is read: its file may be closed then. */
  async drop(): Promise<LogChunk | undefined> {
    const begun = this.#begun;
    this.#begun = undefined;
    return begun?.chunk;
  }
}
