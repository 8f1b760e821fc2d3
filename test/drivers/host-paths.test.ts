import { expect, test } from "vitest";
import { containerOf, hostPath, throughLent } from "../../worker/drivers/host-paths.ts";

const id = "aca6b607d79ea4379c2cbab2989327b23a7fb6e65028d2e444a60f7d45340aaa";

test.each([
  [
    "docker",
    `144 124 254:0 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/x rw`,
  ],
  [
    "podman",
    `144 124 0:24 /containers/storage/overlay-containers/${id}/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw`,
  ],
])("a process in a container of %s knows which", (_, line) => {
  const others = "22 1 254:0 / / rw,relatime - ext4 /dev/root rw\n";
  expect(containerOf(`${others}${line}\n${others}`)).toBe(id);
  expect(containerOf(others)).toBeUndefined();
});

test("a path is the host's by the nearest folder that was lent", () => {
  const lent = [
    { source: "/volumes/work/_data", target: "/var/lib/pumice-worker" },
    { source: "/fast", target: "/var/lib/pumice-worker/jobs" },
  ];
  const on = (path: string): string => throughLent(lent, path);
  expect(on("/var/lib/pumice-worker/cache/x")).toBe("/volumes/work/_data/cache/x");
  expect(on("/var/lib/pumice-worker/jobs/7/scratch")).toBe("/fast/7/scratch");
  expect(on("/var/lib/pumice-worker")).toBe("/volumes/work/_data");
  expect(on("/var/lib/pumice-workers/x")).toBe("/var/lib/pumice-workers/x");
});

test("a worker that is in no container asks nobody", () => {
  expect(hostPath(["/nonexistent/docker"], "/var/lib/x")).toBe("/var/lib/x");
});
