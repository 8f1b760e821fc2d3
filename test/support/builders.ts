/** A small job definition; `lines` are added at its top level, such as `priority: high`. */
export function aJob(
  overrides: { name?: string; deviceType?: string; lines?: string[] } = {},
): string {
  const { name = "smoke", deviceType = "qemu", lines = [] } = overrides;
  return `job_name: ${name}
device_type: ${deviceType}
visibility: public
context: {arch: amd64}
timeouts:
  job: {minutes: 10}
  action: {minutes: 5}
${lines.map((line) => `${line}\n`).join("")}actions:
- deploy:
    to: tmpfs
    images:
      kernel:
        url: http://files.test/kernel
        image_arg: -kernel {kernel}
- boot:
    method: qemu
    prompts: ["login:"]
- test:
    definitions:
    - name: smoke
      from: inline
      path: inline/smoke.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
        run:
          steps: ["true"]
`;
}

/** The configuration of a QEMU device, as docs/devices.md describes it. */
export const aDeviceConfiguration = (): string => `available_architectures: [amd64]
actions:
  deploy:
    methods:
      image:
        parameters: {guest: {size: 64, interface: virtio, driveid: lava}}
  boot:
    methods:
      qemu:
        parameters:
          command: qemu-system-x86_64
          options: [-nographic, "-m 256"]
parameters: {}
constants:
  kernel-start-message: Linux version
  default-shell-prompt: "lava-test: # "
timeouts:
  actions: {}
  connections: {}
`;

/** A result record of a log, as a runner writes it. */
export const aResult = (overrides: Record<string, unknown> = {}): Record<string, unknown> => ({
  definition: "0_smoke",
  case: "true",
  result: "pass",
  ...overrides,
});
