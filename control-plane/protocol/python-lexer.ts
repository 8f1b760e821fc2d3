import { Lexer } from "yaml";

/** What the rules below need to know of a lexer; yaml keeps it to itself. */
interface Inside {
  readonly buffer: string;
  readonly pos: number;
  readonly flowLevel: number;
  indentNext: number;
  continueScalar: (offset: number) => number;
}

/**
 * The tokens of a YAML text as PyYAML cuts them (RENDER-TRAPS.md 3.1): indentation means nothing inside quotes and
 * brackets. yaml wants the lines in there indented, and LAVA's templates have lines that are not.
 */
export function* pythonTokens(text: string): Generator<string, void> {
  const lexer = new Lexer();
  const inside = lexer as unknown as Inside;
  const continueScalar = inside.continueScalar.bind(lexer);
  inside.continueScalar = (offset) => {
    const first = inside.buffer[inside.pos];
    if (first !== '"' && first !== "'") return continueScalar(offset);
    return DOCUMENT_MARK.test(inside.buffer.slice(offset, offset + 4)) ? -1 : offset;
  };
  let indentAround: number | undefined;
  for (const token of lexer.lex(text)) {
    // Nobody reads so many levels, and parsing them all takes seconds.
    if (inside.flowLevel > MAX_BRACKETS) throw new RangeError("too many open brackets");
    if (inside.flowLevel > 0) {
      indentAround ??= inside.indentNext;
      inside.indentNext = 0;
    } else if (indentAround !== undefined) {
      inside.indentNext = indentAround;
      indentAround = undefined;
    }
    yield token;
  }
}

/** Brackets that may be open at a time; far more than the levels that are read (yaml-values.ts). */
const MAX_BRACKETS = 1000;

const DOCUMENT_MARK = /^(?:---|\.\.\.)(?:\s|$)/;
