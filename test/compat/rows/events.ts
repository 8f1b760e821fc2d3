import type { Row } from "../row.ts";

const works = (name: string, about: string): Row => ({
  ...{ surface: "Events", state: "works", name, about },
});

/** LAVA's event stream. */
export const EVENTS_ROWS: readonly Row[] = [
  works(
    "WebSocket /ws/",
    "of `pumice serve`; a token as `?token=` or `Authorization: Token`; 100 from one address; not on AWS",
  ),
  works("org.lavasoftware.testjob", "each change of a job, as its reader may see it"),
  works("org.lavasoftware.device", "each change of a device's state or health"),
  works("org.lavasoftware.worker", "each change of a worker's state or health"),
  works(
    "org.lavasoftware.event",
    "what a DUT says by `lava-test-event`: the first twenty of each piece of a job's log",
  ),
];
