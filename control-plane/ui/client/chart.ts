import uPlot from "uplot";

/** Draws each chart from the table below it; the pointer and the arrow keys go from job to job, a click and Enter open one. */

const HEIGHT = 220;

interface Point {
  time: number;
  value: number;
  group: string;
  href: string;
  text: string;
}

for (const figure of document.querySelectorAll<HTMLElement>("figure.chart")) drawIn(figure);

function drawIn(figure: HTMLElement): void {
  const plot = figure.querySelector<HTMLElement>(".plot");
  const points = [...figure.querySelectorAll<HTMLElement>("tr[data-time]")]
    .map(pointOf)
    .toReversed();
  if (!plot || points.length === 0) return;
  const told = figure.insertBefore(document.createElement("p"), plot.nextSibling);
  told.className = "point";
  let at = points.length - 1;
  const show = (index: number): void => {
    at = Math.min(Math.max(0, index), points.length - 1);
    const point = points[at];
    if (!point) return;
    const link = document.createElement("a");
    link.href = point.href;
    link.textContent = point.text;
    told.replaceChildren(link);
    plot.ariaValueNow = String(at + 1);
    plot.ariaValueText = point.text;
  };
  const open = (): void => void (location.href = points[at]?.href ?? location.href);
  show(at);
  let chart = makeChart(figure, plot, points, show, open);
  describe(plot, points.length, figure.dataset["label"] ?? "");
  plot.addEventListener("keydown", (event) => {
    if (event.key === "Enter") return open();
    const next = placeAfter(event.key, at, points.length);
    if (next === undefined) return;
    event.preventDefault();
    show(next);
    moveCursor(chart, points, at);
  });
  new ResizeObserver(() => chart.setSize({ width: plot.clientWidth, height: HEIGHT })).observe(
    plot,
  );
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    chart.destroy();
    chart = makeChart(figure, plot, points, show, open);
  });
}

/** A slider over the jobs: what screen readers know how to tell. */
function describe(plot: HTMLElement, count: number, label: string): void {
  plot.tabIndex = 0;
  plot.role = "slider";
  plot.ariaLabel = `${label}, job by job`;
  plot.ariaValueMin = "1";
  plot.ariaValueMax = String(count);
  plot.ariaValueNow = String(count);
}

function placeAfter(key: string, at: number, count: number): number | undefined {
  const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const step = steps[key];
  return step === undefined ? undefined : at + step;
}

function pointOf(row: HTMLElement): Point {
  const cells = [...row.children].map(({ textContent }) => textContent.trim());
  return {
    time: Date.parse(row.dataset["time"] ?? "") / 1000,
    value: Number(row.dataset["value"]),
    group: row.dataset["group"] ?? "",
    href: row.querySelector("a")?.href ?? "",
    text: cells.filter(Boolean).join(" · "),
  };
}

function makeChart(
  figure: HTMLElement,
  plot: HTMLElement,
  points: Point[],
  show: (index: number) => void,
  open: () => void,
): uPlot {
  const { unit = "", most } = figure.dataset;
  const colours = getComputedStyle(figure);
  const legend = [...figure.querySelectorAll<HTMLElement>(".series")];
  const lines = legend.length > 0 ? legend : [plot];
  const values = points.map(({ value }) => value);
  const low = Math.min(0, ...values);
  const high = Math.max(Number(most ?? 0), ...values, low + 1e-9);
  const axis = { stroke: colours.color, grid: { stroke: colours.borderTopColor, width: 1 } };
  const known = new Set(legend.map(({ dataset }) => dataset["group"]));
  const lineOf = (group: string): string | undefined =>
    legend.length === 0 || known.has(group) ? group : legend.at(-1)?.dataset["group"];
  plot.replaceChildren();
  const chart = new uPlot(
    {
      width: plot.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { y: { range: [low, high + (most === undefined ? (high - low) * 0.05 : 0)] } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      axes: [
        { ...axis, space: 80, values: (_chart, ticks) => ticks.map(dateOf(ticks)) },
        { ...axis, size: widthOf, values: (_chart, ticks) => ticks.map((n) => `${n} ${unit}`) },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          stroke: getComputedStyle(line).color,
          width: 1.5,
          spanGaps: true,
          points: { show: true, size: 5 },
        })),
      ],
      hooks: {
        setCursor: [({ cursor: { idx } }) => void (typeof idx === "number" && show(idx))],
      },
    },
    [
      points.map(({ time }) => time),
      ...lines.map((line) =>
        points.map(({ group, value }) =>
          legend.length === 0 || lineOf(group) === line.dataset["group"] ? value : null,
        ),
      ),
    ],
    plot,
  );
  chart.over.addEventListener("click", open);
  return chart;
}

/** Days as everywhere else in the lab, hours where the ticks are closer. */
function dateOf(ticks: number[]): (tick: number) => string {
  const step = (ticks[1] ?? Infinity) - (ticks[0] ?? 0);
  return (tick) => {
    const iso = new Date(tick * 1000).toISOString();
    return step < 86_400 ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(0, 10);
  };
}

function moveCursor(chart: uPlot, points: Point[], at: number): void {
  const point = points[at];
  if (!point) return;
  chart.setCursor(
    { left: chart.valToPos(point.time, "x"), top: chart.valToPos(point.value, "y") },
    false,
  );
}

const AXIS_PX = 20;
const CHARACTER_PX = 7;
const MOST_AXIS_PX = 140;

/** How much room the numbers beside a chart take. */
function widthOf(_chart: uPlot, texts: readonly string[] | null): number {
  const longest = Math.max(0, ...(texts ?? []).map((text) => text.length));
  return Math.min(MOST_AXIS_PX, AXIS_PX + CHARACTER_PX * longest);
}
