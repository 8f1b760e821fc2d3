import type { Child } from "hono/jsx";
import type { JobView } from "#protocol/api.ts";
import { Page } from "./page.tsx";
import { JobStatus } from "./status.tsx";
import type { View } from "./view.ts";

/** The parts of a job, each a page: path below the job's, and name. */
const PARTS = [
  ["", "Log & results"],
  ["/definition", "Definition"],
  ["/plan", "Plan"],
  ["/device", "Device"],
  ["/metadata", "Metadata"],
  ["/similar", "Similar"],
] as const;
type Part = (typeof PARTS)[number][0] | "/results";

type TabbedJob = Pick<JobView, "id" | "attempt" | "retried">;

/** On the pages of an attempt that another one followed, the others are of it, too. */
const ofAttempt = ({ attempt, retried }: TabbedJob): string =>
  retried ? `?attempt=${attempt}` : "";

/** Leads from each part of a job to the others. */
export const JobTabs = ({ job, open }: { job: TabbedJob; open: Part }) => (
  <nav class="tabs job-tabs" aria-label="Parts of the job">
    {PARTS.map(([path, name]) => (
      <a
        href={`/jobs/${job.id}${path}${ofAttempt(job)}`}
        aria-current={path === open ? "page" : undefined}
      >
        {name}
      </a>
    ))}
  </nav>
);

interface FrameProps {
  view: View;
  job: JobView;
  open: Part;
  /** What the page is about, for its title: `Definition`. */
  what: string;
  children?: Child;
}

/** A page with a part of a job that isn't its log. */
export const JobFrame = ({ view, job, open, what, children }: FrameProps) => (
  <Page view={view} title={`${what} · #${job.id} ${job.description}`} section="/">
    <div class="job-title">
      <h1>
        <span class="muted">#{job.id}</span>{" "}
        <a href={`/jobs/${job.id}${ofAttempt(job)}`}>{job.description}</a>
      </h1>
      <JobStatus job={job} />
    </div>
    <JobTabs job={job} open={open} />
    {children}
  </Page>
);
