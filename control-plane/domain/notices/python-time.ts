/** A time as Python prints it: `2026-11-21 03:00:53.194555+00:00`, without a fraction that is 0; `None` when there is none. */
export function pythonTime(iso: string | undefined): string {
  const [, day, time, fraction = ""] =
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+00:00)?$/.exec(iso ?? "") ?? [];
  if (day === undefined || time === undefined) return iso ?? "None";
  const micros = fraction.padEnd(6, "0");
  return `${day} ${time}${Number(micros) === 0 ? "" : `.${micros}`}+00:00`;
}
