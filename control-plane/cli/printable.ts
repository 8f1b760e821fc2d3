/** CSI and OSC sequences whole, then any other control character but tab. */
const SEQUENCES =
  // eslint-disable-next-line no-control-regex
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/**
 * One line of text without what would act on the terminal: a device's output, a job's name and an error
 * message come from anybody.
 */
export const printable = (text: string): string => text.replaceAll(SEQUENCES, "");

/** The same for a text of several lines. */
export const printableLines = (text: string): string =>
  text
    .split(/\r\n|\n/)
    .map(printable)
    .join("\n");
