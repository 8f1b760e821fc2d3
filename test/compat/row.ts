/** One thing that LAVA's clients, scripts and workers may ask for, and what becomes of it here. */
export type Row = Told &
  (
    | { readonly state: "works" }
    /** On purpose; `refused` is how it ends: `405`, `fault 400`, `exit 1`. */
    | { readonly state: "absent"; readonly refused: string }
  );

interface Told {
  readonly surface: Surface;
  /** As it is recorded when it is called: a method, `GET /jobs/:id/`, a command of lavacli, a topic of events. */
  readonly name: string;
  /** In a few words for people; may be empty. Of what is absent: what there is in its place. */
  readonly about: string;
}

export const SURFACES = [
  "XML-RPC",
  "lavacli",
  "REST",
  "URLs",
  "Stock workers",
  "Our worker at LAVA",
  "Events",
  "KernelCI",
] as const;
export type Surface = (typeof SURFACES)[number];
