import { expect, test } from "vitest";
import { guestMemory } from "../../worker/host/guest-memory.ts";

const MIB = 2 ** 20;

const device = (options: readonly string[], extra: readonly string[] = []): string =>
  JSON.stringify({
    actions: { boot: { methods: { qemu: { parameters: { command: "q", options, extra } } } } },
  });
const job = (boot: unknown, imageArg?: string): string =>
  JSON.stringify({
    actions: [
      { deploy: { images: { kernel: { url: "file:///k", image_arg: imageArg } } } },
      { boot },
      { test: {} },
    ],
  });
const qemu = job({ method: "qemu" });

test.each([
  ["-m 256", 256 * MIB],
  ["-m 1G", 1024 * MIB],
  ["-m 1.5g", 1536 * MIB],
  ["-m 2048K", 2 * MIB],
  ["-m size=512,slots=2,maxmem=4G", 512 * MIB],
  ["-nographic -m '768' -monitor none", 768 * MIB],
  ["-machine virt", 128 * MIB],
  ["-m what", 128 * MIB],
])("a device whose QEMU has %s", (option, bytes) => {
  expect(guestMemory({ definition: qemu, device: device(["-nographic", option]) })).toBe(bytes);
});

test("the last -m holds, of the device's and the job's", () => {
  const both = device(["-m 256"], ["-m 512"]);
  expect(guestMemory({ definition: qemu, device: both })).toBe(512 * MIB);
  const asking = job({ method: "qemu" }, "-kernel {kernel} -m 1024 -append 'a b'");
  expect(guestMemory({ definition: asking, device: both })).toBe(1024 * MIB);
});

test.each(["qemu", "monitor", "qemu-iso"])("boot method %s starts a QEMU", (method) => {
  const ticket = { definition: job({ method }), device: device(["-m 64"]) };
  expect(guestMemory(ticket)).toBe(64 * MIB);
});

test("qemu-nfs has options of its own", () => {
  const methods = { "qemu-nfs": { parameters: { options: ["-m 96"] } } };
  const nfs = JSON.stringify({ actions: { boot: { methods } } });
  expect(guestMemory({ definition: job({ method: "qemu-nfs" }), device: nfs })).toBe(96 * MIB);
});

test.each([
  ["a board", { definition: job({ method: "u-boot" }), device: device(["-m 256"]) }],
  [
    "a QEMU in a container",
    { definition: job({ method: "qemu", docker: { image: "q" } }), device: device(["-m 256"]) },
  ],
  ["a method that an object has by nature", { definition: job({ method: "constructor" }) }],
  ["a lost ticket", {}],
  ["what is no job", { definition: "- [", device: ": [" }],
  ["a list instead of a mapping", { definition: "[1, 2]", device: "3" }],
])("%s takes no guest's memory of the worker's own", (_, ticket) => {
  expect(guestMemory(ticket)).toBe(0);
});
