import { FORMATS } from "./export-rows.ts";

/** Links to what the page shows as files. `query`: that of the page; `what` is in the files, where that is not all. */
export function ExportLinks({
  path,
  what = "",
  query = {},
}: {
  path: string;
  what?: string;
  query?: Readonly<Record<string, string | number | undefined>>;
}) {
  return (
    <p class="exports">
      {`Export ${what} `}
      {FORMATS.map((format) => (
        <a href={addressOf(path, { ...query, format })} download="">
          {format.toUpperCase()}
        </a>
      ))}
    </p>
  );
}

/** A path with those fields of a query that say something. */
export function addressOf(
  path: string,
  query: Readonly<Record<string, string | number | undefined>>,
): string {
  const entries = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined || value === "" ? [] : [[name, String(value)]],
  );
  const text = new URLSearchParams(entries).toString();
  return text === "" ? path : `${path}?${text}`;
}
