import type { JobView } from "#protocol/api.ts";

type Tone = "good" | "bad" | "warn" | "run" | "idle";

const TONES: Record<string, Tone> = {
  Complete: "good",
  Incomplete: "bad",
  Canceled: "idle",
  Submitted: "idle",
  Scheduling: "run",
  Scheduled: "run",
  Running: "run",
  Canceling: "warn",
  Idle: "idle",
  Reserved: "run",
  Good: "good",
  Unknown: "warn",
  Looping: "warn",
  Bad: "bad",
  Maintenance: "warn",
  Retired: "idle",
  Online: "good",
  Offline: "bad",
  Active: "good",
  pass: "good",
  fail: "bad",
  skip: "idle",
  unknown: "warn",
};
const MARKS: Record<Tone, string> = { good: "✓", bad: "✕", warn: "!", run: "▸", idle: "·" };

/** A state, health or result: a word with a mark and a colour, none of which stands alone. */
export function Status({ value, count }: { value: string; count?: number }) {
  const tone = TONES[value] ?? "idle";
  return (
    <span class={`status ${tone}`}>
      <i aria-hidden="true">{MARKS[tone]}</i>
      {count === undefined ? value : `${count} ${value}`}
    </span>
  );
}

/** Of a job, what matters now: its state, and once it is Finished its health. */
export const JobStatus = ({ job }: { job: Pick<JobView, "state" | "health"> }) => (
  <Status value={job.state === "Finished" ? job.health : job.state} />
);
