import { pause, startLab } from "./lab.mjs";

/** Runs the smoke job `runs` times while its log is followed, and reads the times off job and log. */
export async function measureJob({ runs }) {
  const lab = await startLab();
  const rows = {
    "submission to runner start": [],
    "end of test to Finished": [],
    "whole job": [],
    "of that the guest's own time": [],
    "overhead beyond the guest's own time": [],
  };
  try {
    for (let n = 0; n < runs; n++) {
      const times = await oneJob(lab);
      for (const [name, value] of Object.entries(times)) rows[name].push(value);
    }
  } finally {
    await lab.close();
  }
  return Object.entries(rows).map(([name, values]) => ({ name, unit: "ms", values }));
}

async function oneJob(lab) {
  const id = await lab.submit(lab.job("qemu-smoke.yaml"));
  const records = [];
  for (let complete = false; !complete;) {
    const page = await lab.api("GET", `/jobs/${id}/log?start=${records.length}&wait=20`);
    records.push(...page.records);
    complete = page.complete;
  }
  const job = await lab.api("GET", `/jobs/${id}`);
  if (job.health !== "Complete") throw new Error(`job ${id} is ${job.health}: ${job.error_msg}`);
  while ((await lab.api("GET", "/devices/qemu-01")).state !== "Idle") await pause(20);

  const at = (test) =>
    Date.parse(records.find((record) => typeof record.msg === "string" && test(record))?.dt ?? "");
  const submitted = Date.parse(job.submit_time);
  const finished = Date.parse(job.end_time);
  const booted = at((record) => /^start: \S+ execute-qemu /.test(record.msg));
  const tested = at(
    (record) => record.lvl === "target" && record.msg.includes("<LAVA_TEST_RUNNER EXIT>"),
  );
  return {
    "submission to runner start": Date.parse(records[0].dt) - submitted,
    "end of test to Finished": finished - tested,
    "whole job": finished - submitted,
    "of that the guest's own time": tested - booted,
    "overhead beyond the guest's own time": finished - submitted - (tested - booted),
  };
}
