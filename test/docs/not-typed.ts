/** A line of a page that is not typed here. */
export interface NotTyped {
  readonly line: RegExp;
  /** The test that does it, and a text of it that shows it. */
  readonly by?: readonly [file: string, has: string];
  /** Why no test of ours can. */
  readonly because?: string;
}

/** Typed by another test, which is checked to do so. */
const ELSEWHERE: readonly NotTyped[] = [
  {
    line: /^tar -xzf pumice-server|^ln -sfn \/opt\/pumice/,
    by: ["test/beds/release.bed.test.ts", "tar -xzf pumice-server-"],
  },
  { line: /^scripts\/release\b/, by: ["test/scripts/release.test.ts", "scripts/release"] },
  {
    line: /^scripts\/quickstart|^\.\/scripts\/quickstart/,
    by: ["test/e2e/quickstart.e2e.test.ts", "scripts/quickstart"],
  },
  { line: /^\.\/scripts\/test/, by: ["test/scripts/run-tests.test.ts", "run-tests"] },
  { line: /\bpumice serve\b.*--tls-cert/, by: ["test/cli/serve-command.test.ts", "--tls-cert"] },
  { line: /\bpumice serve\b/, by: ["test/support/serve-process.ts", "--listen"] },
  { line: /\bpumice sign-in --browser/, by: ["test/cli/sign-in-command.test.ts", "--browser"] },
  {
    line: /\bpumice import lava\b/,
    by: ["test/cli/import-lava/import-lava.test.ts", '["import", "lava", "--url"'],
  },
  { line: /\bpumice console\b.*--(power|off)/, by: ["test/cli/console-window.test.ts", "--power"] },
  { line: /\bpumice console\b/, by: ["test/cli/console-window.test.ts", "console"] },
  { line: /\bpumice import "?backup.*--url/, by: ["test/cli/backup.test.ts", '"import"'] },
  { line: /\bscripts\/build\b/, by: ["test/e2e/single-file.e2e.test.ts", '"scripts/build")'] },
  {
    line: /\bbuild-job-schema\.ts/,
    by: ["test/http/schemas.test.ts", "scripts/build-job-schema.ts"],
  },
  {
    line: /^npm run (--silent )?(deploy|diff|rollback)\b/,
    by: ["test/infra/deploy.test.ts", "rollback"],
  },
  { line: /^npm run smoke\b/, by: ["test/infra/smoke.test.ts", "smoke"] },
  { line: /^npm run bed -- uboot-arm64/, by: ["test/beds/uboot.bed.test.ts", "arm64"] },
  { line: /npm run bed -- noisy/, by: ["test/beds/noisy.bed.test.ts", "noisyRun({ seed"] },
  { line: /^(sudo )?pumice-worker enrol\b/, by: ["test/cli/enrol.test.ts", '"enrol"'] },
  {
    line: /^(sudo )?\S*pumice-worker\S* install --uninstall/,
    by: ["test/install/install.test.ts", "--uninstall"],
  },
  {
    line: /^sudo \S*pumice-worker\S* install|^chmod \+x pumice-worker/,
    by: ["test/beds/install-systemd.bed.test.ts", "install"],
  },
  {
    line: /^sudo -u pumice-worker pumice-worker doctor/,
    by: ["test/beds/install-systemd.bed.test.ts", "pumice-worker doctor"],
  },
  {
    line: /^pumice-worker power tasmota/,
    by: ["test/drivers/power/power-program.test.ts", "tasmota"],
  },
  {
    line: /^pumice-worker start --protocol lava/,
    by: ["test/compat/lava-bench.ts", "--protocol"],
  },
  {
    line: /pumice-worker run job\.yaml --device docs/,
    by: ["test/e2e/worker-run.e2e.test.ts", "docs/examples/qemu-device.yaml"],
  },
  { line: /^node pumice-worker\.cjs start/, by: ["test/cli/enrol.test.ts", "Node.js 20"] },
  { line: /^lavacli jobs run\b/, by: ["test/compat/lavacli.compat.test.ts", "jobs run"] },
  {
    line: /^lavacli workers (add|show)\b|^lavacli devices update\b/,
    by: ["test/compat/lavacli.compat.test.ts", "workers"],
  },
  {
    line: /^python3 docs\/examples\/lava-rest\.py/,
    by: ["test/compat/rest.compat.test.ts", "lava-rest.py"],
  },
  {
    line: /^pumice events --follow/,
    by: ["test/cli/notice-commands.test.ts", '["events", "--follow"'],
  },
  {
    line: /^podman (build|exec)|^podman-compose|^export DOCKER_GID|^docker-compose/,
    by: ["test/beds/containers-lab.bed.test.ts", "compose.yaml"],
  },
  {
    line: /^lavacli workers maintenance/,
    by: ["test/compat/lavacli.compat.test.ts", "workers maintenance"],
  },
  { line: /^scripts\/cost\b/, by: ["test/benchmarks/cost.test.ts", "idleHour"] },
  {
    line: /^scripts\/bench console\b/,
    by: ["test/scripts/bench-console.test.ts", "--only journal --runs 1 --seed 4711"],
  },
  { line: /\bnetwork\.sh\b/, by: ["test/docs/examples.test.ts", "sh network.sh lo"] },
];

/** Of a machine, an account or a board that no test has. */
const NOT_OURS: readonly NotTyped[] = [
  { line: /^git tag /, because: "marks the checkout" },
  { line: /^apt-get install/, because: "changes the machine" },
  { line: /^fastboot devices|^telnet rack\.example\.com/, because: "asks a board" },
  { line: /^scp dist\//, because: "goes to a board" },
  { line: /^cp company-ca\.pem/, because: "changes the certificates that the machine trusts" },
  { line: /^systemctl restart lava-worker/, because: "is LAVA's service, on LAVA's machine" },
  { line: /hooks\.slack\.com\/services\/\.\.\./, because: "the dots stand for a secret" },
];

export const NOT_TYPED = [...ELSEWHERE, ...NOT_OURS];

/** The row of a line that is not typed here. */
export const notTyped = (line: string): NotTyped | undefined =>
  NOT_TYPED.find((row) => row.line.test(line));

/** Programs that touch nothing but the folder and the lab: a real shell runs pages' lines, and may be root's. */
const HARMLESS =
  /^(?:[A-Z_]+=\S* )*(?:(?:scripts\/)?pumice(?:-worker)?|curl|lavacli|python3|export|ls|openssl|sha256sum|base64|zcat|mkdir -p bin|cp bin|[A-Z_]+=\S*|id=\S*|\(umask|printf)(?=[ /])/;

/** Whether a line may be run here. One that may not and has no row is a fault of this table. */
export const isHarmless = (line: string): boolean => HARMLESS.test(`${line} `);
