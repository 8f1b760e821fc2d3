import type { Row } from "../row.ts";

const file = { surface: "Events", test: "test/lava/event-sockets.test.ts" } as const;

/** LAVA's event stream. */
export const EVENTS_ROWS: readonly Row[] = [
  {
    ...file,
    ...{ name: "WebSocket /ws/", state: "works", called: "/ws/" },
    about: "of `pumice serve`; a token as `?token=` or `Authorization: Token`; not on AWS",
  },
  {
    ...file,
    ...{ name: "org.lavasoftware.testjob", state: "works", called: '"testjob"' },
    about: "each change of a job, as its reader may see it",
  },
  {
    ...file,
    ...{ name: "org.lavasoftware.device", state: "works", called: '"device"' },
    about: "each change of a device's state or health",
  },
  {
    ...file,
    ...{ name: "org.lavasoftware.worker", state: "works", called: '"worker"' },
    about: "each change of a worker's state or health",
  },
  {
    ...file,
    ...{ name: "org.lavasoftware.event", state: "works", called: '"event"' },
    about: "what a DUT says by `lava-test-event`: the first twenty of each piece of a job's log",
  },
  {
    ...file,
    ...{ name: "ZMQ on port 5500", state: "absent", called: "WebSocket" },
    about: "the WebSocket has the same messages; or `/api/v1/events` (server-sent events)",
  },
];
