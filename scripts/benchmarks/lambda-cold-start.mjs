// One cold start: loads the function's code of LAMBDA_TASK_ROOT, gives it EVENT and prints the milliseconds of both and
// the answer as JSON; with COUNT=1 also the files that it loaded, for which the times are of no use.
import { registerHooks } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const { LAMBDA_TASK_ROOT: folder, EVENT, COUNT } = process.env;
const files = [];
if (COUNT) {
  registerHooks({
    load(url, context, nextLoad) {
      if (url.startsWith("file:")) files.push(fileURLToPath(url));
      return nextLoad(url, context);
    },
  });
}
const started = performance.now();
const { handler } = await import(pathToFileURL(path.join(folder, "http.mjs")).href);
const loaded = performance.now();
const invocation = { awsRequestId: "cold", getRemainingTimeInMillis: () => 30_000 };
const { statusCode, body } = await handler(JSON.parse(EVENT), invocation);
const answered = performance.now();
if (statusCode >= 300) throw new Error(`${statusCode} ${body}`);
const figures = { loadMs: loaded - started, firstMs: answered - loaded, body, files };
process.stdout.write(JSON.stringify(figures), () => process.exit());
