const MESSAGE =
  "this worker (pumice-worker at a LAVA server) has no lava-coordinator: it runs no jobs of a multinode group. Have them on devices of a stock worker, or of a lab of Pumice";

/** Whether the job is one of a group. Definitions come from the server in block style, in whatever style they were submitted. */
export const isMultinode = (definition: string): boolean =>
  /^protocols:[^\n]*\n(?:[ \t][^\n]*\n)*?[ \t]+['"]?lava-multinode['"]?:/m.test(definition);

/** What the server is told of such a job: its log, and its end. */
export function refusalLines(now: Date): { text: string; end: Record<string, string> } {
  const dt = now.toISOString().replace("Z", "000+00:00");
  const type = "Infrastructure";
  const failure = { error_msg: MESSAGE, error_type: type, result: "fail" };
  const records = [
    { dt, lvl: "error", msg: MESSAGE },
    { dt, lvl: "results", msg: { definition: "lava", case: "job", ...failure } },
  ];
  return {
    text: records.map((record) => `${JSON.stringify(record)}\n`).join(""),
    end: { result: "fail", error_type: type, errors: MESSAGE },
  };
}
