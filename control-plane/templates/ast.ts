/** The tree of a template. Lines count from 1. */
export type Expression = { readonly line: number } & (
  | { readonly kind: "constant"; readonly value: null | boolean | string | number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "list" | "tuple"; readonly items: readonly Expression[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: "attribute"; readonly of: Expression; readonly name: string }
  | { readonly kind: "item"; readonly of: Expression; readonly key: Expression }
  | {
      readonly kind: "slice";
      readonly of: Expression;
      readonly from: Expression | undefined;
      readonly to: Expression | undefined;
    }
  | { readonly kind: "call"; readonly callee: Expression; readonly args: Arguments }
  | {
      readonly kind: "filter";
      readonly input: Expression;
      readonly name: string;
      readonly args: Arguments;
    }
  | {
      readonly kind: "test";
      readonly input: Expression;
      readonly name: string;
      readonly args: readonly Expression[];
    }
  | { readonly kind: "not" | "negative" | "positive"; readonly operand: Expression }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: "binary";
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: "compare";
      readonly first: Expression;
      readonly rest: readonly { readonly operator: string; readonly operand: Expression }[];
    }
  | {
      readonly kind: "condition";
      readonly test: Expression;
      readonly value: Expression;
      readonly otherwise: Expression | undefined;
    }
);

export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
}

export type Statement = { readonly line: number } & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly value: Expression }
  | { readonly kind: "extends"; readonly parent: Expression }
  | {
      readonly kind: "block";
      readonly name: string;
      readonly scoped: boolean;
      readonly body: readonly Statement[];
    }
  | { readonly kind: "set"; readonly names: readonly string[]; readonly value: Expression }
  | {
      readonly kind: "set-block";
      readonly name: string;
      readonly filters: readonly Filter[];
      readonly body: readonly Statement[];
    }
  | {
      readonly kind: "if";
      readonly branches: readonly {
        readonly test: Expression;
        readonly body: readonly Statement[];
      }[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: "for";
      readonly names: readonly string[];
      readonly of: Expression;
      readonly when: Expression | undefined;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: "filter-block";
      readonly filters: readonly Filter[];
      readonly body: readonly Statement[];
    }
  | { readonly kind: "include"; readonly what: Expression; readonly ignoreMissing: boolean }
);

export interface Filter {
  readonly name: string;
  readonly args: Arguments;
  readonly line: number;
}

export interface Template {
  readonly name: string;
  readonly body: readonly Statement[];
  /** Every block of this template, also those inside others. */
  readonly blocks: ReadonlyMap<
    string,
    { readonly body: readonly Statement[]; readonly line: number }
  >;
}
