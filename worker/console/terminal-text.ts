export const ESCAPE = "\u001b";

/** Source of a regular expression of what moves a cursor, colours or asks the terminal something. */
export const ESCAPE_SEQUENCE = String.raw`\x1b(?:\[[0-9;?]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[()][0-9A-Za-z]|[=>78cDEHMZ])`;

const CONTROL = String.raw`[\0-\x08\x0b\x0c\x0e-\x1f\x7f\uFFFD]`;
const NO_TEXT = new RegExp(`${ESCAPE_SEQUENCE}|${CONTROL}`, "g");
const SOME_CONTROL = new RegExp(CONTROL);

/** Whether a text has anything in it that `plainText` leaves out. */
export const hasNoText = (text: string): boolean => SOME_CONTROL.test(text);

/** What a person reads of it: without escape sequences, control characters (line ends stay) and what is no UTF-8. */
export const plainText = (text: string): string => text.replace(NO_TEXT, "");

/** The part behind the last line end. */
export const lastLine = (text: string): string => text.slice(text.lastIndexOf("\n") + 1);
