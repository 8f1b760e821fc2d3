/** What was looked at, and how it is. */
export interface Finding {
  /** `ok`; `missing`: not there; `wrong`: there, but of no use; `note`: only some jobs or people mind. */
  readonly state: "ok" | "missing" | "wrong" | "note";
  readonly what: string;
  /** What it is for, or what to do. */
  readonly text: string;
}

export const ok = (what: string, text: string): Finding => ({ state: "ok", what, text });
export const note = (what: string, text: string): Finding => ({ state: "note", what, text });
export const wrong = (what: string, text: string): Finding => ({ state: "wrong", what, text });
export const missing = (what: string, text: string): Finding => ({ state: "missing", what, text });

/** Whether jobs will fail of it. */
export const isBad = ({ state }: Finding): boolean => state === "missing" || state === "wrong";

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
