import { consolePieces, visibleText } from "#protocol/log-text.ts";
import { escapeHtml } from "./escape-html.ts";

interface Style {
  foreground: number | undefined;
  background: number | undefined;
  /** Classes of the style sheet that are on. */
  flags: Set<string>;
}

/**
 * A line of console output as HTML: colours become classes, other control sequences go, control characters that
 * are left become visible. A line starts in the default colour.
 */
export function ansiHtml(text: string): string {
  const style: Style = { foreground: undefined, background: undefined, flags: new Set() };
  let html = "";
  for (const piece of consolePieces(text)) {
    if (piece.sgr !== undefined) applySgr(style, piece.sgr);
    html += span(piece.text, style);
  }
  return html;
}

/** Plain text as HTML, with control characters made visible. */
export const plainHtml = (text: string): string => escapeHtml(visibleText(text));

function span(text: string, { foreground, background, flags }: Style): string {
  if (text === "") return "";
  const classes = [...flags];
  if (foreground !== undefined) classes.push(`f${foreground}`);
  if (background !== undefined) classes.push(`k${background}`);
  const html = plainHtml(text);
  return classes.length === 0 ? html : `<b class="${classes.join(" ")}">${html}</b>`;
}

const FLAGS: Record<number, string> = {
  1: "bold",
  2: "dim",
  3: "italic",
  4: "under",
  7: "inverse",
};

function applySgr(style: Style, parameters: string): void {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let n = 0; n < codes.length; n++) {
    const code = codes[n] ?? 0;
    const flag = FLAGS[code];
    if (code === 0)
      Object.assign(style, { foreground: undefined, background: undefined, flags: new Set() });
    else if (flag) style.flags.add(flag);
    else if (code === 22) ["bold", "dim"].forEach((name) => style.flags.delete(name));
    else if (code > 22 && code < 28) style.flags.delete(FLAGS[code - 20] ?? "");
    else if (code === 38 || code === 48) {
      const [colour, used] = extendedColour(codes.slice(n + 1));
      style[code === 38 ? "foreground" : "background"] = colour;
      n += used;
    } else applyColour(style, code);
  }
}

function applyColour(style: Style, code: number): void {
  if (code === 39) style.foreground = undefined;
  else if (code === 49) style.background = undefined;
  else if (code >= 30 && code < 38) style.foreground = code - 30;
  else if (code >= 40 && code < 48) style.background = code - 40;
  else if (code >= 90 && code < 98) style.foreground = code - 82;
  else if (code >= 100 && code < 108) style.background = code - 92;
}

/** What follows 38 or 48, as the nearest of the 16 colours, and how many parameters it took. */
function extendedColour(codes: number[]): [colour: number | undefined, used: number] {
  const [kind, a = 0, b = 0, c = 0] = codes;
  if (kind === 2) return [nearest(a, b, c), 4];
  if (kind !== 5) return [undefined, codes.length];
  if (a < 16) return [a, 2];
  if (a >= 232) return [nearest(...grey(a)), 2];
  const level = (n: number): number => (n % 6) * 51;
  return [
    nearest(level(Math.trunc((a - 16) / 36)), level(Math.trunc((a - 16) / 6)), level(a - 16)),
    2,
  ];
}

const grey = (code: number): [number, number, number] => {
  const value = 8 + (code - 232) * 10;
  return [value, value, value];
};

function nearest(red: number, green: number, blue: number): number {
  const most = Math.max(red, green, blue);
  if (most < 50) return 0;
  const bit = (value: number): number => (value > most / 2 ? 1 : 0);
  const colour = bit(red) + 2 * bit(green) + 4 * bit(blue);
  return most > 190 ? colour + 8 : colour === 7 && most < 140 ? 8 : colour;
}
