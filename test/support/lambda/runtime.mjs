// What AWS runs in an environment: loads the handler from the unmodified bundle, then asks the Runtime API for one
// event after the other. _HANDLER, LAMBDA_TASK_ROOT and AWS_LAMBDA_RUNTIME_API as AWS sets them.
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const { AWS_LAMBDA_RUNTIME_API: api, LAMBDA_TASK_ROOT: root, _HANDLER: handlerName } = process.env;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

const handler = await load().catch(async (error) => {
  await call("POST", "init/error", describe(error)).catch(() => {});
  process.exit(1);
});
for (;;) await next();

async function load() {
  const [file, name] = handlerName.split(".");
  const module = await import(pathToFileURL(path.join(root, `${file}.mjs`)).href);
  if (typeof module[name] !== "function") throw new Error(`${handlerName} is no function`);
  return module[name];
}

async function next() {
  const { headers, text } = await call("GET", "invocation/next");
  const id = headers["lambda-runtime-aws-request-id"];
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const context = {
    awsRequestId: id,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  let answer;
  try {
    answer = JSON.stringify((await handler(JSON.parse(text), context)) ?? null);
  } catch (error) {
    await call("POST", `invocation/${id}/error`, describe(error));
    return;
  }
  await call("POST", `invocation/${id}/response`, answer);
}

function describe(error) {
  const errorMessage = String(error?.message ?? error);
  return JSON.stringify({ errorType: error?.name ?? "Error", errorMessage });
}

function call(method, where, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(`http://${api}/2018-06-01/runtime/${where}`, { method, agent });
    request.on("error", reject);
    request.on("response", async (response) => {
      const parts = [];
      for await (const part of response) parts.push(part);
      resolve({ headers: response.headers, text: Buffer.concat(parts).toString() });
    });
    request.end(body);
  });
}
