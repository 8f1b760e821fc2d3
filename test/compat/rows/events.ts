import type { Row } from "../row.ts";

const works = (name: string, about: string): Row => ({
  ...{ surface: "Events", state: "works", name, about },
});

/** LAVA's event stream. */
export const EVENTS_ROWS: readonly Row[] = [
  works(
    "WebSocket /ws/",
    "of `pumice serve`; a token as `?token=` or `Authorization: Token`; 100 from one address",
  ),
  works("lava-worker --ws-url, in AWS", "at an address of its own; the connection lasts two hours"),
  works(
    "lavacli events listen, in AWS",
    "at the lab's own address, which sends it on; shown to people who are not signed in",
  ),
  works("org.lavasoftware.testjob", "each change of a job, as its reader may see it"),
  works("org.lavasoftware.device", "each change of a device's state or health"),
  works("org.lavasoftware.worker", "each change of a worker's state or health"),
  works(
    "org.lavasoftware.event",
    "what a DUT says by `lava-test-event`: the first twenty of each piece of a job's log",
  ),
];
