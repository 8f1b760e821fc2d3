import { expect, test } from "vitest";
import { qemuArguments, qemuProgram } from "../../worker/actions/boot/qemu-command.ts";
import type { JobContext } from "../../worker/pipeline/action.ts";
import type { DeployedImage } from "../../worker/pipeline/job-slots.ts";
import { aJobContext } from "../support/plan-of.ts";

function job(context: Record<string, string>, options: string[] = []): JobContext {
  const base = aJobContext({ context });
  const parameters = { command: "qemu-system-", options };
  const actions = {
    ...base.device.actions,
    boot: { ...base.device.actions.boot, methods: { qemu: { parameters } } },
  };
  const device = { ...base.device, actions, available_architectures: ["amd64", "arm64"] };
  return { ...base, device };
}
const image = (label: string, path: string, imageArg?: string): [string, DeployedImage] => [
  label,
  { label, path, imageArg },
];

test("the program is the architecture's", () => {
  expect(qemuProgram(job({ arch: "amd64" }))).toBe("qemu-system-x86_64");
  expect(qemuProgram(job({ arch: "arm64" }))).toBe("qemu-system-aarch64");
  expect(() => qemuProgram(job({ arch: "z80" }))).toThrow(/context.arch is z80: expected one of/);
  expect(() => qemuProgram(job({}))).toThrow(/context.arch is missing/);
});

test("options and image arguments are split as a shell does, and a path stays one word", () => {
  const images = new Map([
    image("kernel", "/a b/$(x)", '-kernel {kernel} -append "console=ttyS0 quiet"'),
    image("unused", "/c"),
  ]);
  expect(qemuArguments(job({ arch: "amd64" }, ["-m 256"]), images, undefined, undefined)).toEqual([
    "-m",
    "256",
    "-kernel",
    "/a b/$(x)",
    "-append",
    "console=ttyS0 quiet",
  ]);
});

test("firmware is looked for in its folder, and the overlay's drive comes last", () => {
  const drive = {
    path: "/x,y/drive",
    format: "raw",
    uuid: "u",
    interface: "virtio",
    driveId: "lavatest",
    mountCommands: [],
  } as const;
  expect(qemuArguments(job({ arch: "amd64" }), new Map(), drive, "/fw/OVMF.fd")).toEqual([
    "-L",
    "/fw",
    "-monitor",
    "none",
    "-drive",
    "format=raw,file=/x,,y/drive,media=disk,if=virtio,id=lavatest",
  ]);
});
