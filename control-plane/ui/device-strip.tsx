import type { StripJob } from "../domain/device-board.ts";

/**
 * The jobs that a device had last, the newest at the right: colour and height say how each ended. Who goes through the page by
 * keyboard does not stop at each of them: the device's list of jobs has them all.
 */
export function DeviceStrip({ hostname, jobs }: { hostname: string; jobs: readonly StripJob[] }) {
  if (jobs.length === 0) return <span class="muted">no jobs yet</span>;
  return (
    <ol class="strip" aria-label={`Last jobs of ${hostname}: ${sumOf(jobs)}; the newest last`}>
      {jobs.toReversed().map((job) => (
        <li>
          <Cell job={job} />
        </li>
      ))}
    </ol>
  );
}

function Cell({ job }: { job: StripJob }) {
  const { id, attempt, health, isHealthCheck } = job;
  const look = `cell ${TONES[health]}${isHealthCheck ? " check" : ""}`;
  if (id === undefined) {
    const what = "a job that you may not see";
    return (
      <span class={look} title={what}>
        <span class="hidden">{what}</span>
      </span>
    );
  }
  const which = attempt === undefined ? `#${id}` : `#${id}, attempt ${attempt}`;
  const what = `${which}${isHealthCheck ? ", health check" : ""}: ${health}`;
  const href = attempt === undefined ? `/jobs/${id}` : `/jobs/${id}?attempt=${attempt}`;
  return (
    <a class={look} href={href} title={what} tabindex={-1}>
      <span class="hidden">{what}</span>
    </a>
  );
}

/** What the colours and heights of the strips mean. */
export const StripLegend = () => (
  <p class="legend" aria-hidden="true">
    Last jobs, the newest at the right:{" "}
    {LEGEND.map(([look, what]) => (
      <span>
        <span class="strip">
          <i class={`cell ${look}`} />
        </span>
        {what}
      </span>
    ))}
  </p>
);

const LEGEND = [
  ["good", "Complete"],
  ["bad", "Incomplete"],
  ["idle", "Canceled"],
  ["good check", "health check"],
] as const;

const TONES = { Complete: "good", Incomplete: "bad", Canceled: "idle", Unknown: "none" } as const;

/** `18 Complete, 2 Incomplete` */
function sumOf(jobs: readonly StripJob[]): string {
  const counted = new Map<string, number>();
  for (const { id, health } of jobs) {
    const what = id === undefined ? "that you may not see" : health;
    counted.set(what, (counted.get(what) ?? 0) + 1);
  }
  return [...counted].map(([what, count]) => `${count} ${what}`).join(", ");
}
