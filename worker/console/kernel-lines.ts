import { plainText } from "./terminal-text.ts";

/**
 * What a kernel prints on a console on its own account, to the end of its line: `[   12.345678] usb 1-1: new`, with a level
 * before it or a caller behind it. It may begin anywhere, also in the midst of what a shell prints.
 */
const KERNEL_LINE =
  /(?:<\d{1,3}>)?\[ {0,6}\d{1,9}\.\d{5,7}\](?:\[ *[TC]\d+\])?[^\n]*(?:\n|$)|<[0-7]>[A-Za-z][^\n]*(?:\n|$)/g;

/**
 * A console's text as it were without the kernel: a prompt or an echo that a message was printed into, or behind, is whole
 * again. A message without time stamp and level can't be told from other text and stays.
 */
export const withoutKernelLines = (text: string): string => text.replace(KERNEL_LINE, "");

/** A kernel's message that has just begun. */
const KERNEL_BEGINS = /(?:<\d{0,3}>?)?(?:\[[ \d.]{0,24}\]?)?$/;

/** What the DUT itself has said, as one compares it with what came before: without blanks at its end, and what its kernel is about to say. */
export const ownWords = (text: string): string =>
  withoutKernelLines(text).trimEnd().replace(KERNEL_BEGINS, "").trimEnd();

/** What a DUT has said as one line, whatever was printed into it, with nothing that is no text: for what can't be mistaken. */
export const seamless = (text: string): string =>
  withoutKernelLines(plainText(text)).replace(/[\r\n]+/g, "");

/** Nothing that repeats may stand in it twice in a row: a DUT that prints nothing but line ends would be searched for ever. */
const BROKEN_BY_KERNEL = new RegExp(`(?:\\r{0,2}\\n){1,2}(?:${KERNEL_LINE.source})`, "g");

/** The same without the line ends that stand before kernel messages: what a message that begins a line of its own has cut in two. */
export const joinedLines = (text: string): string => text.replace(BROKEN_BY_KERNEL, "");

/** Whether what follows `before` in the same line is a kernel message's. */
export const isKernelLine = (before: string): boolean => withoutKernelLines(before) !== before;
