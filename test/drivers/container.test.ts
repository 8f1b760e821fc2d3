import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkImage, pullImage, readContainerBlock } from "../../worker/drivers/container-image.ts";
import {
  containerArgv,
  deviceContainerOptions,
  runInContainer,
} from "../../worker/drivers/container.ts";
import type { JobContext } from "../../worker/pipeline/action.ts";
import { aJobContext, run, type Ran } from "../support/plan-of.ts";
import { standIn, useTools } from "../support/stand-in-tool.ts";

let folder: string;
let job: JobContext;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-container-"));
  job = { ...aJobContext(), jobId: 7, scratch: folder };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  "debian",
  "debian:12",
  "registry.example.com:5000/lab/adb-fastboot:v1.2_x",
  "localhost/dut:1",
])("%s is the name of an image", (image) => expect(checkImage(image)).toBe(image));

test.each([
  "",
  "-v",
  "--privileged",
  "debian ",
  "Debian",
  "a b",
  "debian;id",
  "../x",
  "x".repeat(300),
])("%j is refused as the name of an image", (image) =>
  expect(() => checkImage(image)).toThrow(/^docker image name '/),
);

describe("a docker block", () => {
  test("names containers after the job, so that two jobs don't meet", () => {
    const block = {
      image: "x1",
      container_name: "adb",
      network_from: "server",
      devices: "/dev/kvm",
    };
    expect(readContainerBlock(job, block)).toMatchObject({
      name: "adb-lava-7",
      network: "container:server-lava-7",
      devices: ["/dev/kvm"],
      isLocal: false,
    });
  });

  test.each([
    [{}, "docker.image is missing"],
    [{ image: "x1", container_name: "--rm" }, "docker container name '--rm'"],
    [{ image: "x1", devices: ["/etc/shadow"] }, "docker.devices: '/etc/shadow'"],
    [{ image: "x1", devices: ["/dev/../etc"] }, "docker.devices: '/dev/../etc'"],
    [{ image: "x1", login: { user: "u" } }, "docker.login"],
  ])("%j is refused", (block, message) => {
    expect(() => readContainerBlock(job, block)).toThrow(message);
  });
});

test("the device's options are words, in lists or not, and nothing where it has none", () => {
  const docker = {
    global_options: [null],
    options: [["--add-host=a:1.2.3.4", "-v"], null, "/a:/b"],
  };
  const device = {
    ...job.device,
    actions: { ...job.device.actions, test: { methods: { docker } } },
  };
  expect(deviceContainerOptions({ ...job, device })).toEqual({
    globalOptions: [],
    options: ["--add-host=a:1.2.3.4", "-v", "/a:/b"],
  });
});

test("what could be taken for another option of the client is refused", async () => {
  standIn(folder, "docker", "exit 0");
  const mounts = [{ source: "/a,readonly=false", target: "/b" }];
  await useTools(folder, async () => {
    expect(() => containerArgv(job, { image: "x1", name: "n", mounts }, [])).toThrow(
      "/a,readonly=false can't be mounted",
    );
  });
});

/** Runs one action with these tools in the PATH. */
const act = (work: Parameters<typeof run>[0]["run"]): Promise<Ran> =>
  useTools(folder, () => run({ name: "act", ...(work ? { run: work } : {}) }, { job }));

describe("a container that is left over", () => {
  const options = { image: "x1", name: "lava-7-1", globalOptions: ["--host=h"] };

  test("is killed and removed when the job ends", async () => {
    const calls = standIn(folder, "docker", '[ "$2" != run ] || exec sleep 1000');
    const cancel = new AbortController();
    const ran = await act(async (context) => {
      const late = { ...context, signal: cancel.signal };
      const running = runInContainer(late, options, ["true"]);
      cancel.abort(new Error("given up"));
      await running;
    });
    expect(ran.outcome.error_msg).toBe("given up");
    expect(calls().trim().split("\n").slice(-2)).toEqual([
      "--host=h kill lava-7-1",
      "--host=h rm --force lava-7-1",
    ]);
  });

  test("and can't be removed fails the job, with what to do", async () => {
    standIn(folder, "docker", '[ "$2" != rm ] || { echo "Error: device busy" >&2; exit 1; }');
    const ran = await act(async (context) => {
      const late = { ...context, signal: AbortSignal.abort(new Error("given up")) };
      await runInContainer(late, options, []).catch(() => {});
    });
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(ran.messages.join("\n")).toContain("remove it by hand: docker rm --force lava-7-1");
  });

  test("is not looked for when its program has ended", async () => {
    const calls = standIn(folder, "docker", "exit 3");
    let status = 0;
    await act(async (context) => {
      ({ status } = await runInContainer(context, options, ["a", "b c"]));
    });
    expect(status).toBe(3);
    expect(calls()).toBe(
      `--host=h run --rm --init --name=lava-7-1 --label=pumice.job=${folder} x1 a b c\n`,
    );
  });
});

describe("an image", () => {
  /** A registry that wants a password, and an image for another machine. */
  const registry = (): (() => string) =>
    standIn(
      folder,
      "docker",
      `
case "$1" in
  image) [ -e ${folder}/pulled ] && echo s390x ;;
  login) [ "$(cat)" = geheim ] && touch "$DOCKER_CONFIG/in" ;;
  pull) [ -e "$DOCKER_CONFIG/in" ] || { echo "denied: log in first" >&2; exit 1; }; touch ${folder}/pulled ;;
esac`,
    );
  const login = { registry: "r.example.com", user: "u", password: "geheim" };

  test("of a registry with a password is pulled by a login of this job only", async () => {
    const calls = registry();
    const ran = await act((context) => pullImage(context, { image: "x1", isLocal: false, login }));
    expect(ran.outcome.result).toBe("pass");
    expect(calls()).toBe(
      [
        "login --username=u --password-stdin r.example.com",
        "pull x1",
        "image inspect --format={{.Architecture}} x1",
        "",
      ].join("\n"),
    );
    expect(ran.messages.join("\n")).toContain("the image x1 is for s390x, this machine is");
    expect(ran.messages.join("\n")).not.toContain("geheim");
  });

  test("that the registry denies is the lab's fault", async () => {
    registry();
    const ran = await act((context) =>
      pullImage(context, { image: "x1", isLocal: false, login: undefined }),
    );
    expect(ran.outcome).toMatchObject({
      error_type: "Infrastructure",
      error_msg: "Unable to pull docker image 'x1': denied: log in first",
    });
  });

  test("that is local and there is not pulled", async () => {
    const calls = registry();
    const block = { image: "x1", isLocal: true, login };
    await act((context) => pullImage(context, block));
    await act((context) => pullImage(context, block));
    expect(calls().match(/^pull/gm)).toHaveLength(1);
  });
});

test("podman does when there is no docker, and when the worker's settings say so", async () => {
  standIn(folder, "docker", "exit 0");
  standIn(folder, "podman", "exit 0");
  const { PATH } = process.env;
  process.env["PATH"] = path.join(folder, "tools");
  try {
    const options = { image: "x1", name: "n" };
    expect(containerArgv(job, options, [])[0]).toBe("docker");
    const settings = { ...job, dispatcher: { container_client: "podman" } };
    expect(containerArgv(settings, options, [])[0]).toBe("podman");
    rmSync(path.join(folder, "tools/docker"));
    expect(containerArgv(job, options, [])[0]).toBe("podman");
    rmSync(path.join(folder, "tools/podman"));
    expect(() => containerArgv(job, options, [])).toThrow("Cannot find command 'docker' in $PATH");
  } finally {
    process.env["PATH"] = PATH;
  }
});
