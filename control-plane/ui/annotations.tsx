import { CAUSES, MOST_ANNOTATION_BYTES, type Cause } from "#protocol/annotations.ts";
import type { AnnotationView, JobView } from "#protocol/api.ts";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

const CAUSE_NAMES: Record<Cause, string> = {
  product: "what was tested",
  test: "the test",
  job: "the job’s definition",
  lab: "the lab",
  unclear: "not clear yet",
};

/** What people wrote down, oldest first. */
export const AnnotationNotices = ({ job, now }: { job: JobView; now: number }) => (
  <>
    {job.annotations?.map((annotation) => (
      <div class="notice annotation" id={`annotation-${annotation.id}`}>
        <AnnotationText annotation={annotation} now={now} />
      </div>
    ))}
  </>
);

const AnnotationText = ({ annotation, now }: { annotation: AnnotationView; now: number }) => (
  <>
    <p class="said">
      <b>{annotation.who}</b> <Ago iso={annotation.time} now={now} />
      {annotation.cause !== undefined && <> · at fault: {causeName(annotation.cause)}</>}
    </p>
    <p class="words">{annotation.text}</p>
  </>
);

interface AnnotationsProps {
  view: View;
  job: JobView;
  /** Whether the person may annotate the job. */
  mayChange: boolean;
  /** What was wrong with what they sent. */
  refusal?: string | undefined;
  text?: string | undefined;
}

/** They with the form for another one. */
export function Annotations({ view, job, mayChange, refusal, text = "" }: AnnotationsProps) {
  const mayRemove = ({ who }: AnnotationView) =>
    mayChange && (view.user?.admin === true || view.user?.name === who);
  const { annotations = [] } = job;
  return (
    <section aria-labelledby="annotations-title" id="annotations">
      <h2 id="annotations-title">Annotations</h2>
      {annotations.length === 0 && (
        <p class="muted">
          {mayChange
            ? "What you found out about this job, for whoever looks at it later."
            : "None. Its submitter and those who may change its device can write one."}
        </p>
      )}
      {annotations.map((annotation) => (
        <div class="notice annotation">
          <AnnotationText annotation={annotation} now={view.now} />
          {mayRemove(annotation) && (
            <form method="post" action={`/jobs/${job.id}/annotations/${annotation.id}/remove`}>
              <button class="quiet">
                Remove<span class="hidden">{` what ${annotation.who} wrote`}</span>
              </button>
            </form>
          )}
        </div>
      ))}
      {mayChange && (
        <form class="stacked annotate" method="post" action={`/jobs/${job.id}/annotations`}>
          {refusal !== undefined && (
            <p class="notice bad" role="alert">
              {refusal}
            </p>
          )}
          <label for="annotation-text">Your annotation, plain text</label>
          <textarea
            id="annotation-text"
            name="text"
            rows={3}
            required
            maxlength={MOST_ANNOTATION_BYTES}
          >
            {text}
          </textarea>
          <label for="annotation-cause">What was at fault</label>
          <select id="annotation-cause" name="cause">
            <option value="">–</option>
            {CAUSES.map((cause) => (
              <option value={cause}>{CAUSE_NAMES[cause]}</option>
            ))}
          </select>
          <button>Annotate</button>
        </form>
      )}
    </section>
  );
}

const causeName = (cause: string): string => CAUSE_NAMES[cause as Cause] ?? cause;
