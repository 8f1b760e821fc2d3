/** What was made of a text, for when it is asked for again: of the latest asked for, in all at most so many characters. */
export interface KeptTexts {
  /** What was made of `text`, unless that is too long ago. */
  find(text: string): string | undefined;
  keep(text: string, made: string): void;
}

/** The text is the key: whoever has the one may have the other. */
export function keptTexts(mostCharacters: number): KeptTexts {
  const all = new Map<string, string>();
  let characters = 0;
  const forget = (text: string): void => {
    characters -= text.length + (all.get(text)?.length ?? 0);
    all.delete(text);
  };
  return {
    find(text) {
      const made = all.get(text);
      if (made === undefined) return undefined;
      // A map goes in the order of its insertions: this is its youngest again.
      all.delete(text);
      all.set(text, made);
      return made;
    },
    keep(text, made) {
      if (all.has(text)) forget(text);
      if (text.length + made.length > mostCharacters) return;
      all.set(text, made);
      characters += text.length + made.length;
      for (const oldest of all.keys()) {
        if (characters <= mostCharacters) return;
        forget(oldest);
      }
    },
  };
}
