import type { JobView } from "#protocol/api.ts";
import { JobStatus } from "./status.tsx";

/** The other jobs of a multinode group, and this one among them. */
export function GroupMembers({ job }: { job: JobView }) {
  if (!job.members) return null;
  return (
    <section aria-labelledby="group-title">
      <h2 id="group-title">Multinode group</h2>
      <ul class="plain" id="members">
        {job.members.map((member) => (
          <li>
            {member.id === job.id ? (
              <b>{`#${member.id}`}</b>
            ) : (
              <a href={`/jobs/${member.id}`}>{`#${member.id}`}</a>
            )}{" "}
            {member.role}
            {member.essential && " (essential)"} <JobStatus job={member} />{" "}
            <span class="muted">
              {member.device ??
                (member.host_job === undefined ? "" : `with job ${member.host_job}`)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
