import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { allowTerminalStyles } from "./strict-styles.ts";

/** What programs on a serial line take their terminal for, as nobody tells them. */
const COLUMNS = 80;
const ROWS = 24;
const FONT_PIXELS = 14;
const MIN_FONT_PIXELS = 6;
const SCROLLBACK_LINES = 10_000;

export interface ConsoleTerminal {
  /** Writes what a device said; resolves when it is on the screen. */
  write(bytes: Uint8Array): Promise<void>;
  /** An empty screen. */
  reset(): void;
  focus(): void;
  /** `serial`: 80 columns, as large as the font may be; `window`: as many as there is room for. */
  setSize(size: "serial" | "window"): void;
  /** Now: "80 × 24". */
  size(): string;
  /** Whether it shows a cursor that says so. */
  setTyping(isTyping: boolean): void;
}

/** A terminal in an element, in the page's colours. `onTyped`: what the person types or pastes, and what the terminal answers. */
export function openTerminal(
  frame: HTMLElement,
  { onTyped, onLeave }: { onTyped: (bytes: Uint8Array) => void; onLeave: () => void },
): ConsoleTerminal {
  allowTerminalStyles();
  const terminal = new Terminal({
    cols: COLUMNS,
    rows: ROWS,
    fontSize: FONT_PIXELS,
    fontFamily: cssValue("--mono"),
    scrollback: SCROLLBACK_LINES,
    minimumContrastRatio: 4.5,
    cursorBlink: false,
    theme: themeOfPage(),
    // A device's links lead wherever it likes.
    linkHandler: { activate: () => undefined },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(frame);
  terminal.onData((text) => onTyped(new TextEncoder().encode(text)));
  terminal.onBinary((text) => onTyped(Uint8Array.from(text, (char) => char.charCodeAt(0))));
  terminal.attachCustomKeyEventHandler((event) => {
    const isLeaving = event.ctrlKey && event.shiftKey && event.code === "KeyL";
    if (isLeaving && event.type === "keydown") onLeave();
    return !isLeaving;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    terminal.options.theme = themeOfPage();
  });
  let size: "serial" | "window" = "serial";
  const resize = () => (size === "serial" ? fitSerial(terminal, fit) : fit.fit());
  new ResizeObserver(resize).observe(frame);
  resize();
  return {
    write: (bytes) => new Promise((resolve) => terminal.write(bytes, resolve)),
    reset: () => terminal.reset(),
    focus: () => terminal.focus(),
    setSize(wanted) {
      size = wanted;
      terminal.options.fontSize = FONT_PIXELS;
      resize();
    },
    size: () => `${terminal.cols} × ${terminal.rows}`,
    setTyping(isTyping) {
      terminal.options.disableStdin = !isTyping;
      terminal.options.cursorBlink = isTyping;
      terminal.options.cursorInactiveStyle = isTyping ? "outline" : "none";
    },
  };
}

/** 80 columns, in a smaller font where they are wider than the page. */
function fitSerial(terminal: Terminal, fit: FitAddon): void {
  terminal.options.fontSize = FONT_PIXELS;
  const room = fit.proposeDimensions();
  if (!room || Number.isNaN(room.cols)) return;
  const pixels = Math.floor((FONT_PIXELS * Math.min(room.cols, COLUMNS) * 2) / COLUMNS) / 2;
  terminal.options.fontSize = Math.max(MIN_FONT_PIXELS, pixels);
  const rows = fit.proposeDimensions()?.rows ?? ROWS;
  terminal.resize(COLUMNS, Math.max(ROWS, rows));
}

const cssValue = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const NAMES = [
  ...["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"],
  ...["brightBlack", "brightRed", "brightGreen", "brightYellow", "brightBlue", "brightMagenta"],
  ...["brightCyan", "brightWhite"],
];

/** The colours of a job's log. Each variable is two colours, and an element knows which of them counts now. */
function themeOfPage() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const theme = {
    ...Object.fromEntries(NAMES.map((name, n) => [name, colour(`--c${n}`)])),
    background: colour("--panel"),
    foreground: colour("--fg"),
    cursor: colour("--accent"),
    cursorAccent: colour("--panel"),
    selectionBackground: colour("--mark"),
  };
  probe.remove();
  return theme;
}
