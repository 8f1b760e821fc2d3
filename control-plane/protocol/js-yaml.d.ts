/** What we use of the package, which brings no types. */
declare module "js-yaml" {
  /** Of the node that a listener is told of. */
  export interface ListenedState {
    readonly anchor: string | null;
    readonly tag: string | null;
    readonly kind: "scalar" | "sequence" | "mapping" | null;
    readonly input: string;
    /** In the input, behind the node. */
    readonly position: number;
  }
  interface TypeOptions {
    kind: "scalar";
    resolve: (text: string) => boolean;
    construct: (text: string) => unknown;
  }
  interface LoadOptions {
    schema: Schema;
    listener: (event: "open" | "close", state: ListenedState) => void;
    onWarning: () => void;
    maxDepth: number;
  }
  export class Type {
    constructor(tag: string, options: TypeOptions);
  }
  export class Schema {
    extend(types: { implicit: Type[] }): Schema;
  }
  export const FAILSAFE_SCHEMA: Schema;
  /** Undefined for a text of nothing. Throws for what is no YAML, and for a key that stands twice. */
  export function load(text: string, options: LoadOptions): unknown;
}
