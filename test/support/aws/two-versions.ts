import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { startLambda } from "../lambda/gateway.ts";
import { startCloudPlane, type CloudPlane } from "./cloud-plane.ts";

const root = path.resolve(import.meta.dirname, "../../..");

/** The first commit whose functions served a whole lab: the oldest version that must get on with this one. */
const OLD_VERSION = "26bfc78ae32d0f6c8dff386219464054309d2670";

export interface OldBundle {
  readonly folder: string;
  remove(): void;
}

/** The functions as `OLD_VERSION` bundles them; why not, as text, where this is no clone with that commit. */
export function bundleOldVersion(): OldBundle | string {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-old-version-"));
  try {
    const archive = execFileSync("git", ["archive", OLD_VERSION], {
      cwd: root,
      maxBuffer: 2 ** 28,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const source = path.join(dir, "source");
    mkdirSync(source);
    execFileSync("tar", ["-x", "-C", source], { input: archive });
    symlinkSync(path.join(root, "node_modules"), path.join(source, "node_modules"));
    const folder = path.join(dir, "lambda");
    const script = `import("./scripts/bundle-lambda.mjs").then((m) => m.bundleLambda(${JSON.stringify(folder)}))`;
    execFileSync(process.execPath, ["-e", script], { cwd: source, stdio: "pipe" });
    return { folder, remove: () => rmSync(dir, { recursive: true, force: true }) };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    return `commit ${OLD_VERSION.slice(0, 7)} cannot be bundled here: ${String(error).slice(0, 300)}`;
  }
}

export type Serving = "old" | "new" | "both";

export interface TwoVersions extends CloudPlane {
  /** Who answers from now on; `both` take turns. Scheduling passes and ticks are done by both all the time. */
  serve(who: Serving): void;
  /** How many requests each has answered. */
  readonly answered: Record<"old" | "new", number>;
}

/** One lab's table under two versions of the control plane. */
export async function startTwoVersions(oldFolder: string): Promise<TwoVersions> {
  const plane = await startCloudPlane();
  const { aws, gateway } = plane.cloud;
  const { region, credentials, passesQueueUrl } = aws.place;
  const old = await startLambda({
    bundleFolder: oldFolder,
    env: plane.env,
    passesQueue: { url: passesQueueUrl, region, credentials, endpoint: aws.storage.sqsEndpoint },
    tickEveryMs: 5_000,
  });
  const answered = { old: 0, new: 0 };
  let who: Serving = "old";
  let turn = 0;
  const server = http.createServer((request, response) => {
    const version = who === "both" ? (turn++ % 2 === 0 ? "old" : "new") : who;
    answered[version]++;
    const target = new URL(request.url ?? "/", version === "old" ? old.url : gateway.url);
    const { method, headers } = request;
    const onward = http.request(target, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    ...plane,
    answered,
    serve: (next) => void (who = next),
    url: () => `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await old.close();
      await plane.close();
    },
  };
}
