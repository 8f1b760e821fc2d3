import { chmodSync, writeFileSync } from "node:fs";
import path from "node:path";

/**
 * Writes a program that a device may have in place of QEMU: it answers `--version` and `--help`, and else is a DUT whose
 * console is its standard input and output. `boot` is shell script: what the DUT does.
 */
export function standInGuest(dir: string, boot: string): string {
  const file = path.join(dir, "stand-in-guest");
  writeFileSync(
    file,
    `#!/bin/sh
# It does what it likes on the machine, as no confined QEMU can: where it sees no other process, it doesn't work.
case "$1" in --version | --help) [ -e /proc/1 ] && echo "QEMU emulator version 9.9.9"; exit ;; esac
prompt() { printf 'dut# '; }
# A shell that echoes nothing and runs what it is told; the test shell is stood in for by a few lines.
shell() {
  prompt
  while read -r line; do
    case "$line" in
      *environment*) printf '<LAVA_SIGNAL_RETRUNCODE 0>\\n' ;;
      /*/bin/lava-test-runner\\ *) run_tests; echo '<LAVA_TEST_RUNNER EXIT>' ;;
    esac
    prompt
  done
}
run_tests() {
  echo '<LAVA_SIGNAL_STARTRUN 0_demo 7_1.1.2.1>'
  echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=alive RESULT=pass>'
  echo '<LAVA_SIGNAL_ENDRUN 0_demo 7_1.1.2.1>'
}
${boot}
`,
  );
  chmodSync(file, 0o755);
  return file;
}

/** A configuration of a device that is such a guest. */
export const guestDevice = (program: string): string => `available_architectures: [amd64]
actions:
  deploy: {methods: {image: {parameters: {guest: {size: 16, interface: virtio, driveid: lava}}}}}
  boot: {methods: {qemu: {parameters: {command: ${JSON.stringify(program)}, options: [-nographic], extra: []}}}}
parameters: {}
constants: {kernel-start-message: Linux version}
timeouts: {actions: {}, connections: {}}
`;

/** A job that deploys a file, boots it, and runs a test when \`withTest\`. */
export const guestJob = (
  image: string,
  { withTest = false, boot = "", timeouts = "" } = {},
): string => `job_name: demo
visibility: public
context: {arch: amd64}
timeouts:
  job: {minutes: 1}
  action: {seconds: 30}
  connection: {seconds: 20}
${timeouts}
actions:
- deploy:
    to: tmpfs
    images:
      kernel: {url: ${JSON.stringify(`file://${image}`)}, image_arg: "-kernel {kernel}"}
- boot:
    method: qemu
    prompts: ["dut# "]
${boot}
${
  withTest
    ? `- test:
    definitions:
    - name: demo
      from: inline
      path: demo.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: demo}
        run: {steps: ["true"]}
`
    : ""
}`;
