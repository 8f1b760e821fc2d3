/** One thing that LAVA's clients, scripts and workers may ask for, and what becomes of it here. */
export interface Row {
  readonly surface: Surface;
  /** A method, `GET /api/v0.2/jobs/:id/`, a command of lavacli, a topic of events. */
  readonly name: string;
  /** `absent`: on purpose; `about` says what there is in its place. */
  readonly state: "works" | "absent";
  /** In a few words for people; may be empty. */
  readonly about: string;
  /** The test that calls it, from the top of the sources: `test/lava/xmlrpc-jobs.test.ts`. */
  readonly test: string;
  /** Text that stands in that test because it calls this; the name, when it is not said. */
  readonly called?: string;
}

export const SURFACES = [
  "XML-RPC",
  "lavacli",
  "REST",
  "URLs",
  "Stock workers",
  "Events",
  "KernelCI",
] as const;
export type Surface = (typeof SURFACES)[number];
