// Functions to try the gateway with: what a request's path names is done.
let calls = 0;

const acts = {
  "/echo": (event) => json(event),
  "/calls": () => json({ calls: ++calls, pid: process.pid }),
  "/throw": () => {
    throw new RangeError("as asked");
  },
  "/long": () => json("x".repeat(6_300_000)),
  "/hang": () => new Promise(() => setInterval(() => {}, 1000)),
  "/exit": () => process.exit(3),
  "/meet": () => meet(),
  "/cookies": () => ({ statusCode: 204, cookies: ["a=1; Path=/", "b=2"], headers: { "x-a": "1" } }),
  "/binary": ({ body }) => ({
    statusCode: 200,
    headers: { "content-type": "application/octet-stream" },
    body,
    isBase64Encoded: true,
  }),
  "/nonsense": () => ({ statusCode: "many" }),
  "/env": () => json(process.env),
  "/log": () => {
    console.log("written to the log");
    return json({});
  },
};

export const handler = async (event, context) => acts[event.rawPath](event, context);

const json = (value) => ({
  statusCode: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

/** Answers when two calls are here at a time: in MEETING, a server of the test's. */
async function meet() {
  const answer = await fetch(process.env.MEETING);
  return json(await answer.text());
}

/** Fails for the messages that say so. */
export const batch = async ({ Records }) => {
  console.log(`batch ${Records.map(({ body }) => body).join(" ")}`);
  if (Records.some(({ body }) => body === "throw")) throw new Error("as asked");
  return {
    batchItemFailures: Records.filter(({ body }) => body === "fail").map(({ messageId }) => ({
      itemIdentifier: messageId,
    })),
  };
};

export const clock = async (event) => {
  console.log(`tick ${event.source}`);
};
