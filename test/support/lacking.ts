/** Whether tests are to be left out; says why then, since no test is skipped in silence (scripts/outside-errors.mjs). */
export function lacking(isMissing: boolean, why: string): boolean {
  if (isMissing) console.warn(`skipped: ${why}`);
  return isMissing;
}
