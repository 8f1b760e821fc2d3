/** The size of a console's pseudo-terminal, which programs ask for to break their lines. */
export const ROWS = 24;
export const COLUMNS = 80;

/** How long a program may take to end when its terminal hangs up, before it is killed. */
export const GRACE_MS = 1000;

/** Signals all processes of the group that `leader` leads, as a terminal does when it hangs up. */
export function hangUp(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // It has just ended.
  }
}
