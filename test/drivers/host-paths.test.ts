import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { containerOf, hostPath, lentTo, throughLent } from "../../worker/drivers/host-paths.ts";

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

/** A client that looks at what it is asked, and answers as docker and podman do. */
function client(answer: string): [string] {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-client-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "docker");
  const asked = `inspect --type=container --format={{json .Mounts}} ${id}`;
  writeFileSync(file, `#!/bin/sh\ntest "$*" = "${asked}" || exit 99\n${answer}\n`);
  chmodSync(file, 0o755);
  return [file];
}

test("what was lent is asked of the daemon; another one knows nothing of this container", () => {
  const mounts = JSON.stringify([{ Type: "bind", Source: "/srv/a", Destination: "/work" }]);
  expect(lentTo(id, client(`echo '${mounts}'`))).toEqual([{ source: "/srv/a", target: "/work" }]);
  const docker = `echo "Error: No such container: ${id}" >&2; exit 1`;
  const podman = `echo 'Error: no such container "${id}"' >&2; exit 125`;
  expect(lentTo(id, client(docker))).toEqual([]);
  expect(lentTo(id, client(podman))).toEqual([]);
});

test("a daemon that can't be asked is no daemon that knows nothing", () => {
  const refused = 'echo "Cannot connect to the Docker daemon at unix:///x" >&2; exit 1';
  expect(() => lentTo(id, client(refused))).toThrow(/docker can't say .*: Cannot connect/);
});
