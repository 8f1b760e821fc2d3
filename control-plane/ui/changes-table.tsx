import type { ChangeView } from "#protocol/history.ts";
import { Ago } from "./time.tsx";
import { Who } from "./who.tsx";

/** What happened to a device or a worker, the newest first. */
export function ChangesTable({ changes, now }: { changes: readonly ChangeView[]; now: number }) {
  if (changes.length === 0) return <p class="nothing">Nothing is noted yet.</p>;
  return (
    <table class="audit">
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">Who</th>
          <th scope="col">Changed</th>
          <th scope="col">Why</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ time, who, changed, reason }) => (
          <tr>
            <td class="when">
              <Ago iso={time} now={now} />
            </td>
            <td>
              <Who who={who} reason={reason} />
            </td>
            <td>
              {Object.entries(changed)
                .filter(isSaying)
                .map(([field, [from, to]]) => (
                  <div>{`${field}: ${from ?? "–"} → ${to ?? "–"}`}</div>
                ))}
            </td>
            <td>{reason ?? ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What is new and empty says nothing. */
const isSaying = ([, [from, to]]: [string, [string | null, string | null]]): boolean =>
  from !== null || (to !== "" && to !== "[]");
