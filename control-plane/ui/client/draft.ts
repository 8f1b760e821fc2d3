/** What a person was writing, kept in this browser until it is submitted. */

const MAX_CHARS = 256 * 1024;
/** Secrets stay out of a browser's storage. */
const HAS_SECRETS = /^["']?secrets["']?\s*:/m;

const keyOf = (user: string): string => `pumice-draft ${user}`;

/** Keeps a text as it is now; one with secrets, and a very large one, is not kept, nor is what was kept before. */
export function keepDraft(user: string, text: string): void {
  const isKept = text.trim() !== "" && text.length <= MAX_CHARS && !HAS_SECRETS.test(text);
  if (!isKept) return dropDraft(user);
  try {
    localStorage.setItem(keyOf(user), text);
  } catch {
    // The browser keeps nothing, or has no place left: leaving the page still warns.
  }
}

/** Undefined when there is none. */
export function findDraft(user: string): string | undefined {
  try {
    return localStorage.getItem(keyOf(user)) ?? undefined;
  } catch {
    return undefined;
  }
}

export function dropDraft(user: string): void {
  try {
    localStorage.removeItem(keyOf(user));
  } catch {
    // There is none then.
  }
}
