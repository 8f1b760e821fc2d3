import { mkdirSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { readJsonFile, writeFileAtomic } from "../host/atomic-file.ts";

/** What a worker of a LAVA server knows of a job, which the server would not tell it again. */
export interface JobNotes {
  readonly id: number;
  /** The job's own token. */
  token: string;
  /** The server knows that it runs. */
  isRunning?: boolean;
  /** Lines of the log that the server has. */
  lines?: number;
  /** So many more are on their way: nobody knows whether they have arrived. */
  sending?: number;
  /** How it ended, as the server was told. */
  end?: Record<string, string>;
}

/** The notes of all jobs, each in a file: an agent that begins finds what the one before it knew. */
export interface AllNotes {
  get(id: number): JobNotes | undefined;
  ended(): JobNotes[];
  save(notes: JobNotes): void;
  remove(id: number): void;
}

/** Throws what the disk throws. */
export function jobNotes(folder: string): AllNotes {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fileOf = (id: number): string => path.join(folder, `${id}.json`);
  const all = new Map<number, JobNotes>();
  for (const name of readdirSync(folder)) {
    const notes = readJsonFile(path.join(folder, name)) as JobNotes | undefined;
    if (notes?.token && name === `${notes.id}.json`) all.set(notes.id, notes);
    else rmSync(path.join(folder, name), { force: true });
  }
  return {
    get: (id) => all.get(id),
    ended: () => [...all.values()].filter(({ end }) => end !== undefined),
    save(notes) {
      all.set(notes.id, notes);
      writeFileAtomic(fileOf(notes.id), JSON.stringify(notes));
    },
    remove(id) {
      all.delete(id);
      rmSync(fileOf(id), { force: true });
    },
  };
}
