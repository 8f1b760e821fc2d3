import { defineConfig } from "vitest/config";
import { availableParallelism } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { LongestFirst } from "./longest-first.ts";

/** What is about AWS; on its emulators, so it takes its time. */
const cloudTests = [
  "test/agent/cloud-*.test.ts",
  "test/aws/**/*.test.ts",
  "test/benchmarks/cost.test.ts",
  "test/engines/{aws*,move}.test.ts",
  "test/infra/{deploy,roles}.test.ts",
];

/** What puts something in place of a module: it must be the first to load it, so its process is its own. */
const isolatedTests = [
  "test/docs/openapi.test.ts",
  "test/domain/{at-once,group-parts-whatever}.test.ts",
];

/** What takes many seconds each: whole labs moved and killed, all device types rendered, texts mutated, borders linted. */
const longTests = [
  ...isolatedTests,
  "test/agent/{full-disk,kill,memory,network-loss,power-loss,runaway}.test.ts",
  "test/cli/backup.test.ts",
  "test/device-templates/**/*.test.ts",
  "test/domain/restore.test.ts",
  "test/fuzz/**/*.test.ts",
  "test/infra/{smoke,template}.test.ts",
  "test/scripts/import-boundaries.test.ts",
];

/** Long orders of random events, and what else of a lab's rules takes seconds. */
const labTests = [
  "test/domain/*-whatever.test.ts",
  "test/domain/{group-*,health-checks,job-life,job-log,people,reservations,retry-job,schedule}.test.ts",
  "test/domain/{notices,results}/**/*.test.ts",
  "test/domain/{at-once,fair-share,integrity,job-device}.test.ts",
  "test/http/{access,archive,events,lab,oidc,sign-in}.test.ts",
  "test/ui/{hostile-pages,pages,query-pages,results-pages}.test.ts",
  "test/docs/{examples,lab-blocks,typed-commands}.test.ts",
  "test/scripts/{bench-console,release,run-tests,third-party-notices}.test.ts",
  "test/planner.test.ts",
  "test/cli/{console-window,device-admin-commands,job-commands,query-commands,watch}.test.ts",
  "test/cli/lab-directory/**/*.test.ts",
  "test/agent/{log-shipper,remote-console,job-console,console-faults}.test.ts",
  "test/cache/**/*.test.ts",
  "test/lava/{rest-*,stock-worker*,xmlrpc-*}.test.ts",
  "test/password-hash.test.ts",
];

/** What has a lab of its own for each of its tests, and takes seconds of a core for that. */
const wholeLabTests = [
  "test/actions/{monitors,test-shell}.test.ts",
  "test/actions/test/person-wait.test.ts",
  "test/agent/multinode-members.test.ts",
  "test/cli/{apply-command,check,export-command,notice-commands}.test.ts",
  "test/cli/import-lava/import-lava.test.ts",
  "test/console/seen-text-reference.test.ts",
  "test/domain/{consoles,dry-run,quotas,rollout,sign-in,submission,sync,waits-for,windows,worker-health}.test.ts",
  "test/host/download.test.ts",
  "test/http/{device-texts,log-chunks,search,terminal-sign-in,tokens}.test.ts",
  "test/lava/{event-sockets,hostile}.test.ts",
  "test/serve.test.ts",
  "test/ui/{docs-routes,error-pages,lab-pages,worker-page}.test.ts",
];

/** What starts programs of the host, real servers and images, for the worker and each of its methods. */
const methodTests = [
  ...labTests,
  ...wholeLabTests,
  "test/actions/test/multinode-*.test.ts",
  "test/actions/{boot,bootloader,connection,flashers,login}/**/*.test.ts",
  "test/actions/{bootloader*,fastboot*,qemu-boot,services*}.test.ts",
  "test/actions/power/**/*.test.ts",
  "test/actions/{interactive,test-shell-ends}.test.ts",
  "test/actions/test/journal-{files,shells}.test.ts",
  "test/console/{console-memory,line-noise,type-line}.test.ts",
  "test/deploy/**/*.test.ts",
  "test/drivers/**/*.test.ts",
  "test/golden/corpus-plans.test.ts",
  "test/host/{download-remote,iso9660}.test.ts",
  "test/overlay/{ext4-edit,helper-scripts,sparse-image,uimage}.test.ts",
  "test/pipeline/{run-job,whose-fault}.test.ts",
  "test/services/**/*.test.ts",
  "test/doctor/**/*.test.ts",
  "test/agent/{agent,main,moved-lab,network,real-control-plane,requests,upgrade-runtimes,wrong-clock}.test.ts",
  "test/cli/{enrol,main,program}.test.ts",
  "test/install/**/*.test.ts",
  "test/host/network/connections.test.ts",
  "test/{run-plan-command,runner}.test.ts",
];

const root = path.resolve(import.meta.dirname, "..");
const cores = availableParallelism();
/** The files of a worker share its process: to load the sources anew for each takes longer than its tests. */
const isolate = false;
/** Notes what tests of LAVA's surfaces really call. */
const setupFiles = [fileURLToPath(import.meta.resolve("./support/record-calls.setup.ts"))];

/**
 * `fast`: all but what boots a guest or a whole lab. `slow`: those. `methods`: what a method of the worker starts on its host.
 * `beds`: jobs on real virtual devices, a method each.
 * `compat`: LAVA's own clients, worker and server, from Debian's packages.
 * `cloud`: the aws engine, and the rules once more on it.
 * `npm run check` runs fast only.
 */
export default defineConfig({
  root,
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        root,
        oxc: { jsx: { runtime: "automatic", importSource: "hono/jsx" } },
        test: {
          name: "fast",
          setupFiles,
          include: ["test/**/*.test.ts", "test/**/*.test.tsx"],
          exclude: [
            "test/e2e/**",
            "test/beds/**",
            "test/compat/**",
            ...cloudTests,
            ...methodTests,
            ...longTests,
          ],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          isolate,
          // More than there are cores: some of these tests wait for processes and time-outs.
          maxWorkers: cores + 2,
        },
      },
      {
        root,
        oxc: { jsx: { runtime: "automatic", importSource: "hono/jsx" } },
        test: {
          name: "cloud",
          setupFiles,
          include: [
            ...cloudTests,
            // Not those of groups: a coordinator is pumice serve's.
            "test/lava/stock-worker{,-ends,-log,-register}.test.ts",
            "test/domain/{applying,consoles,group-ends,group-schedule,job-life,lab-report,job-log,people,quotas,release-device,rendered-jobs,reservations,retry-job,retry-whatever,rollout,schedule,submission,sync,tick,worker-readiness}.test.ts",
          ],
          env: { PUMICE_TEST_ENGINE: "aws" },
          testTimeout: 120_000,
          hookTimeout: 30_000,
          isolate,
          maxWorkers: cores + 1,
        },
      },
      {
        root,
        oxc: { jsx: { runtime: "automatic", importSource: "hono/jsx" } },
        test: {
          name: "slow",
          include: ["test/e2e/**/*.e2e.test.ts", ...longTests],
          exclude: ["test/e2e/{cloud,upgrade}.e2e.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Each boots guests: more at a time than there are cores only makes all of them slower.
          maxWorkers: Math.max(2, Math.floor(cores / 2)),
        },
      },
      {
        root,
        oxc: { jsx: { runtime: "automatic", importSource: "hono/jsx" } },
        test: {
          name: "methods",
          setupFiles,
          include: methodTests,
          exclude: isolatedTests,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          isolate,
          maxWorkers: cores + 2,
        },
      },
      {
        root,
        test: {
          name: "beds",
          include: ["test/beds/**/*.bed.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          maxWorkers: Math.max(2, Math.floor(cores / 2)),
        },
      },
      {
        root,
        oxc: { jsx: { runtime: "automatic", importSource: "hono/jsx" } },
        test: {
          name: "compat",
          setupFiles,
          include: ["test/compat/**/*.compat.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 600_000,
          maxWorkers: Math.max(2, Math.floor(cores / 2)),
        },
      },
      {
        root,
        oxc: { jsx: { runtime: "automatic", importSource: "hono/jsx" } },
        test: {
          name: "cloud-slow",
          include: ["test/e2e/{lab,cloud,upgrade}.e2e.test.ts"],
          env: { PUMICE_TEST_ENGINE: "aws" },
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
        },
      },
    ],
  },
});
