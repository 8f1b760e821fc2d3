import { nearestWord } from "#protocol/nearest-word.ts";
import { pathText, readYaml, type ReadYaml } from "#protocol/read-yaml.ts";
import type { Loader } from "./frame.ts";
import { namesOfTemplate } from "./names-in.ts";
import type { Origin, Span } from "./origins.ts";
import { render, type Rendered } from "./render.ts";
import { TemplateError } from "./template-error.ts";

export interface DeviceToRender {
  /** File name under which messages speak of the dictionary: `board-01.jinja2`. */
  name: string;
  /** Its text. */
  dictionary: string;
  /** Finds the device types. */
  loader: Loader;
  /** A job's context (DEVICE.md 2), with `scheduled_device_name` and `scheduled_device_type` when it is scheduled. */
  context?: Readonly<Record<string, unknown>>;
  /** Tell for each value where it was set; costs about as much again as the rendering. */
  withOrigins?: boolean;
}

/** Something about a template or about what it rendered to. */
export interface TemplateRemark {
  /** File name. */
  template: string;
  line: number;
  message: string;
}

export interface RenderedDevice {
  /** YAML; empty when the templates could not be rendered. */
  text: string;
  /** The text as data; undefined when there are problems. */
  value: unknown;
  problems: TemplateRemark[];
  /** What is well-formed and yet most likely a mistake. */
  warnings: TemplateRemark[];
  /** The text's reader, for places in it. */
  read: ReadYaml | undefined;
  /** File names of all templates that took part, the dictionary first. */
  templates: readonly string[];
  /** For each value's path, `commands.hard_reset`, where it was set. Empty unless asked for. */
  origins: Record<string, Origin>;
  /** The place in the templates that made this piece of the text. */
  originAt: (start: number, end?: number) => Origin | undefined;
}

/** What a device's dictionary comes to. What is wrong with it is part of the answer: never throws. */
export function renderDevice(device: DeviceToRender): RenderedDevice {
  const { name, dictionary, context = {}, withOrigins = false } = device;
  const loader: Loader = (wanted) => (wanted === name ? dictionary : device.loader(wanted));
  let rendered: Rendered;
  try {
    rendered = render(name, loader, context, { withOrigins });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const { template, line, message } = error;
    return { ...nothing, problems: [{ template, line, message }] };
  }
  const { text, templates, spans } = rendered;
  const read = readYaml(text);
  const originAt = (start: number, end = start + 1) => originOf(text, spans, templates, start, end);
  const base = { text, templates, read, originAt, warnings: unusedSets(rendered) };
  const [problem] = read.problems;
  if (!problem) {
    const origins = withOrigins ? originsOf(read, originAt) : {};
    return { ...base, value: read.value, problems: [], origins };
  }
  // Where the text that can't be read came from is worth a second rendering.
  if (!withOrigins) return renderDevice({ ...device, withOrigins: true });
  const place = originAt(offsetOfLine(text, problem.line) + problem.column - 1);
  const { template, line } = place ?? { template: name, line: 1 };
  const shown = text.split("\n")[problem.line - 1]?.trim() ?? "";
  const message = `what is rendered here can't be read: ${problem.message} (line ${problem.line} of the result: ${shown.slice(0, 80)})`;
  return { ...base, value: undefined, problems: [{ template, line, message }], origins: {} };
}

const nothing: Omit<RenderedDevice, "problems"> = {
  text: "",
  value: undefined,
  warnings: [],
  read: undefined,
  templates: [],
  origins: {},
  originAt: () => undefined,
};

/** Of each kind: to find a near name takes time. */
const MAX_WARNINGS = 20;

/** Variables of the dictionary that nothing reads, or that a device type sets again without a look at them. */
function unusedSets({ parsed, templates, overridden }: Rendered): TemplateRemark[] {
  const [first = ""] = templates;
  const read = new Set([...parsed.values()].flatMap(namesOfTemplate));
  const unread = setsOf(parsed.get(first)?.body ?? [])
    .filter(({ name }) => !read.has(name))
    .slice(0, MAX_WARNINGS)
    .map(({ name, line }) => {
      const near = nearestWord(name, [...read]);
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      return { template: first, line, message: `${name} is set and nothing reads it${hint}` };
    });
  const vain = overridden.slice(0, MAX_WARNINGS).map(({ name, line, by }) => {
    const message = `${name} has no effect: ${by.template} line ${by.line} sets it again`;
    return { template: first, line, message };
  });
  return [...unread, ...vain].toSorted((a, b) => a.line - b.line);
}

/** What a template sets at its top, also under a condition. */
function setsOf(body: readonly unknown[]): { name: string; line: number }[] {
  return body.flatMap((node) => {
    const statement = node as {
      kind: string;
      line: number;
      names?: readonly string[];
      branches?: readonly { body: readonly unknown[] }[];
      otherwise?: readonly unknown[];
    };
    if (statement.kind === "set") {
      return (statement.names ?? []).map((name) => ({ name, line: statement.line }));
    }
    if (statement.kind !== "if") return [];
    const inner = (statement.branches ?? []).flatMap((branch) => branch.body);
    return setsOf([...inner, ...(statement.otherwise ?? [])]);
  });
}

function originsOf(read: ReadYaml, originAt: RenderedDevice["originAt"]): Record<string, Origin> {
  const origins: Record<string, Origin> = {};
  for (const { path, start, end } of read.leaves()) {
    const origin = originAt(start, end);
    if (origin) origins[pathText(path)] = origin;
  }
  return origins;
}

/**
 * Of what expressions printed within the piece, the one that the most derived template set; else the place of the
 * text itself, in which lines count on.
 */
function originOf(
  text: string,
  spans: readonly Span[],
  templates: readonly string[],
  start: number,
  end: number,
): Origin | undefined {
  const first = lastBefore(spans, start);
  let best: Origin | undefined;
  for (let at = Math.max(0, first); (spans[at]?.start ?? end) < end; at++) {
    const span = spans[at];
    if (!span || span.isText) continue;
    if (!best || templates.indexOf(span.origin.template) < templates.indexOf(best.template)) {
      best = span.origin;
    }
  }
  if (best) return best;
  const around = spans[first];
  if (!around?.isText) return around?.origin;
  const lines = text.slice(around.start, start).split("\n").length - 1;
  return { ...around.origin, line: around.origin.line + lines };
}

/** Index of the last piece that begins at or before the place; -1 when there is none. */
function lastBefore(spans: readonly Span[], offset: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.start ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function offsetOfLine(text: string, line: number): number {
  let at = 0;
  for (let n = 1; n < line; n++) at = text.indexOf("\n", at) + 1;
  return at;
}
