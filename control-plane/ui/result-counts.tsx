import type { ResultView } from "#protocol/api.ts";
import { TEST_RESULTS } from "#protocol/states.ts";
import { Status } from "./status.tsx";

/** How many there are of each result that there is; those of an attempt that was made again don't count. */
export function ResultCounts({ results }: { results: ResultView[] }) {
  return (
    <span class="result-counts">
      {TEST_RESULTS.map((result) => {
        const count = results.filter((one) => one.result === result && !one.retried).length;
        return count > 0 && <Status value={result} count={count} />;
      })}
    </span>
  );
}
