import {
  failureRate,
  type DayLine,
  type DeviceLine,
  type LabReport,
  type TypeLine,
} from "../domain/reports/lab-report.ts";
import { ExportLinks } from "./export-links.tsx";
import { formatDuration } from "./format-time.ts";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

export const PERIODS = [7, 30, 90] as const;
const SHOWN_DEVICES = 50;

/** `/reports`: how the lab did of late. */
export function ReportsPage({
  view,
  report,
  days,
}: {
  view: View;
  report: LabReport;
  days: number;
}) {
  const total = report.days.reduce((sum, day) => sum + jobsOf(day), 0);
  return (
    <Page view={view} title="Reports" section="/reports">
      <h1>Reports</h1>
      <nav class="tabs" aria-label="Time of the report">
        {PERIODS.map((period) => (
          <a
            href={`/reports?days=${period}`}
            aria-current={period === days ? "page" : undefined}
          >{`${period} days`}</a>
        ))}
      </nav>
      {report.unfinished.length > 0 && (
        <p class="notice warn">
          {`Of ${report.unfinished.length} ${report.unfinished.length === 1 ? "day" : "days"} not all jobs are counted yet: `}
          <a href={`/reports?days=${days}`}>go on counting</a>
        </p>
      )}
      {report.isTodayCut && (
        <p class="notice">
          Today has had so many jobs that only the newest 2,500 are in this report.
        </p>
      )}
      {total === 0 ? (
        <p class="nothing">{`No job was submitted in the last ${days} days.`}</p>
      ) : (
        <Report report={report} days={days} />
      )}
    </Page>
  );
}

const Report = ({ report, days }: { report: LabReport; days: number }) => (
  <>
    <Days days={report.days} />
    <ExportLinks path="/reports" query={{ days, of: "days" }} />
    <div class="halves">
      <Failures failures={report.failures} />
      <Types types={report.types} days={days} />
    </div>
    <Devices devices={report.devices} days={days} />
    <p class="muted">
      Jobs count on the day of their submission (UTC). Failed is the part that was Incomplete of
      those that were not canceled. An attempt after which its job went on elsewhere counts for its
      device only. Waits are right to about a tenth.
    </p>
  </>
);

const jobsOf = ({ Complete, Incomplete, Canceled, open }: Omit<DayLine, "day">): number =>
  Complete + Incomplete + Canceled + open;

const PARTS = [
  ["Complete", "good"],
  ["Incomplete", "bad"],
  ["Canceled", "idle"],
  ["open", "run"],
] as const;
const WORDS = {
  Complete: "Complete",
  Incomplete: "Incomplete",
  Canceled: "Canceled",
  open: "not ended",
};
const [WIDTH, HEIGHT] = [900, 160];

function Days({ days }: { days: readonly DayLine[] }) {
  const highest = Math.max(1, ...days.map(jobsOf));
  const total = (part: keyof typeof WORDS) => days.reduce((sum, day) => sum + day[part], 0);
  return (
    <figure class="days">
      <figcaption>
        <h2>Jobs by day</h2>
        <span class="legend">
          {PARTS.map(([part, tone]) => (
            <span class={`series ${tone}`}>{`${total(part)} ${WORDS[part]}`}</span>
          ))}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT + 1}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Jobs by day; at most ${highest} on a day. The table below says the same.`}
      >
        <line class="axis" x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} />
        {days.map((day, n) => (
          <Bar day={day} n={n} count={days.length} highest={highest} />
        ))}
      </svg>
      <p class="ends muted" aria-hidden="true">
        <span>{days[0]?.day}</span>
        <span>{`at most ${highest} a day`}</span>
        <span>{days.at(-1)?.day}</span>
      </p>
      <details>
        <summary>The same as a table</summary>
        <DaysTable days={days} />
      </details>
    </figure>
  );
}

function Bar({
  day,
  n,
  count,
  highest,
}: {
  day: DayLine;
  n: number;
  count: number;
  highest: number;
}) {
  const step = WIDTH / count;
  let y = HEIGHT;
  const told = PARTS.flatMap(([part]) => (day[part] > 0 ? [`${day[part]} ${WORDS[part]}`] : []));
  return (
    <g>
      <title>{`${day.day}: ${told.join(", ") || "no job"}`}</title>
      {PARTS.map(([part, tone]) => {
        const height = (day[part] / highest) * (HEIGHT - 4);
        y -= height;
        return (
          height > 0 && (
            <rect
              class={tone}
              x={(n * step + step * 0.12).toFixed(1)}
              width={(step * 0.76).toFixed(1)}
              y={y.toFixed(1)}
              height={height.toFixed(1)}
            />
          )
        );
      })}
    </g>
  );
}

const DaysTable = ({ days }: { days: readonly DayLine[] }) => (
  <table class="listed">
    <thead>
      <tr>
        <th scope="col">Day</th>
        {PARTS.map(([part]) => (
          <th scope="col" class="number">
            {WORDS[part]}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {days.toReversed().map((day) => (
        <tr>
          <th scope="row">
            <a href={`/?since=${day.day}&until=${day.day}`}>{day.day}</a>
          </th>
          {PARTS.map(([part]) => (
            <td class="number">{day[part]}</td>
          ))}
        </tr>
      ))}
    </tbody>
  </table>
);

/** A part of a whole as a bar, beside its number. */
const Part = ({ part, tone }: { part: number; tone: string }) => (
  <svg class="part" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
    <rect class="whole" width="100" height="10" />
    <rect class={tone} width={(part * 100).toFixed(1)} height="10" />
  </svg>
);

function Failures({ failures }: Pick<LabReport, "failures">) {
  const all = failures.reduce((sum, { count }) => sum + count, 0);
  return (
    <section>
      <h2>Why jobs were Incomplete</h2>
      {failures.length === 0 && <p class="nothing">None was.</p>}
      {failures.length > 0 && (
        <table class="listed">
          <thead>
            <tr>
              <th scope="col">Error type</th>
              <th scope="col" class="number">
                Jobs
              </th>
              <th scope="col" class="number">
                Of all
              </th>
            </tr>
          </thead>
          <tbody>
            {failures.map(({ error_type, count }) => (
              <tr>
                <th scope="row">{error_type}</th>
                <td class="number">{count}</td>
                <td class="number">
                  <Part part={count / all} tone="bad" />
                  {percent(count / all)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

const percent = (part: number): string => `${Math.round(part * 100)} %`;

const Types = ({ types, days }: { types: readonly TypeLine[]; days: number }) => (
  <section>
    <h2>Device types</h2>
    <table class="listed">
      <thead>
        <tr>
          <th scope="col">Type</th>
          <th scope="col" class="number">
            Jobs
          </th>
          <th scope="col" class="number">
            Failed
          </th>
          <th scope="col" class="number">
            Median wait
          </th>
          <th scope="col" class="number">
            9 of 10 waited at most
          </th>
        </tr>
      </thead>
      <tbody>
        {types.map((type) => (
          <tr>
            <th scope="row">
              <a href={`/?device_type=${encodeURIComponent(type.name)}`}>{type.name}</a>
            </th>
            <td class="number">{jobsOf(type)}</td>
            <td class="number">
              <Part part={failureRate(type)} tone="bad" />
              {percent(failureRate(type))}
            </td>
            <td class="number">{waited(type.wait_p50)}</td>
            <td class="number">{waited(type.wait_p90)}</td>
          </tr>
        ))}
      </tbody>
    </table>
    <ExportLinks path="/reports" query={{ days, of: "types" }} />
  </section>
);

const waited = (seconds: number | undefined): string =>
  seconds === undefined ? "" : formatDuration(seconds * 1000);

const Devices = ({ devices, days }: { devices: readonly DeviceLine[]; days: number }) => (
  <section>
    <h2>Devices, the worst first</h2>
    {devices.length === 0 && <p class="nothing">No job had a device.</p>}
    {devices.length > 0 && (
      <table class="listed">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Type</th>
            <th scope="col" class="number">
              Jobs
            </th>
            <th scope="col" class="number">
              Incomplete
            </th>
            <th scope="col" class="number">
              Failed
            </th>
            <th scope="col" class="number">
              In use
            </th>
          </tr>
        </thead>
        <tbody>
          {devices.slice(0, SHOWN_DEVICES).map((device) => (
            <tr>
              <th scope="row">
                <a href={`/devices/${encodeURIComponent(device.name)}`}>{device.name}</a>
              </th>
              <td>{device.type}</td>
              <td class="number">{jobsOf(device)}</td>
              <td class="number">
                {device.Incomplete > 0 ? (
                  <a href={`/?device=${encodeURIComponent(device.name)}&health=Incomplete`}>
                    {device.Incomplete}
                  </a>
                ) : (
                  0
                )}
              </td>
              <td class="number">
                <Part part={failureRate(device)} tone="bad" />
                {percent(failureRate(device))}
              </td>
              <td class="number">
                <Part part={device.utilisation} tone="run" />
                {percent(device.utilisation)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    )}
    {devices.length > SHOWN_DEVICES && (
      <p class="muted">{`and ${devices.length - SHOWN_DEVICES} more: see the export`}</p>
    )}
    <ExportLinks path="/reports" query={{ days, of: "devices" }} />
  </section>
);
