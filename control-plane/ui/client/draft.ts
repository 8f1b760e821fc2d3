/** What a person was writing, kept in this browser until it is accepted. */

const MAX_CHARS = 256 * 1024;
/** Secrets stay out of a browser's storage. */
const HAS_SECRETS = /^["']?secrets["']?\s*:/m;

const keyOf = (user: string): string => `pumice-draft ${user}`;
/** Under it: the person's last job when they submitted the draft. */
const submittedKeyOf = (user: string): string => `pumice-submitted ${user}`;

/** Keeps a text as it is now; one with secrets, and a very large one, is not kept, nor is what was kept before. */
export function keepDraft(user: string, text: string): void {
  const isKept = text.trim() !== "" && text.length <= MAX_CHARS && !HAS_SECRETS.test(text);
  if (!isKept) return dropDraft(user);
  try {
    localStorage.setItem(keyOf(user), text);
    localStorage.removeItem(submittedKeyOf(user));
  } catch {
    // The browser keeps nothing, or has no place left: leaving the page still warns.
  }
}

/** Notes that it is being submitted: it is dropped when it has become a job, as a session may have ended, or a network. */
export function noteSubmitted(user: string, lastJob: string): void {
  try {
    localStorage.setItem(submittedKeyOf(user), lastJob);
  } catch {
    // See above.
  }
}

/** Undefined when there is none, and when it has become the person's last job. */
export function findDraft(user: string, lastJob: string): string | undefined {
  try {
    const before = localStorage.getItem(submittedKeyOf(user)) ?? lastJob;
    if (before !== lastJob) dropDraft(user);
    return localStorage.getItem(keyOf(user)) ?? undefined;
  } catch {
    return undefined;
  }
}

export function dropDraft(user: string): void {
  try {
    for (const key of [keyOf(user), submittedKeyOf(user)]) localStorage.removeItem(key);
  } catch {
    // There is none then.
  }
}
