/** Address of a log line of the job whose page is open; it works whether or not the page shows the line. */
export const lineAddress = (line: number): string =>
  `?start=${Math.max(0, line - 100)}#L${line + 1}`;
