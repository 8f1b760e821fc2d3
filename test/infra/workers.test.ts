import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const textOf = (name: string): string =>
  readFileSync(new URL(`../../infra/workers/${name}`, import.meta.url), "utf8");

const unit = textOf("pumice-worker.service");

describe("the service of a worker", () => {
  test("has what boards need, and not the options that would take it away", () => {
    expect(unit).toContain("SupplementaryGroups=dialout plugdev\n");
    expect(unit).not.toMatch(/^(PrivateDevices|ProtectClock|DeviceAllow|PrivateNetwork)=/m);
  });

  test("lets jobs outlive the agent", () => {
    expect(unit).toContain("\nKillMode=process\n");
    expect(unit).toContain("\nRestart=always\n");
  });

  test("is hardened, and runs as a user of its own", () => {
    for (const line of ["User=pumice-worker", "NoNewPrivileges=yes", "ProtectSystem=strict"]) {
      expect(unit).toContain(`\n${line}\n`);
    }
  });

  test("keeps the token out of the command line and the environment", () => {
    expect(unit).toContain(" --token-file /etc/pumice-worker/token ");
    expect(unit).not.toContain("PUMICE_TOKEN");
  });
});

interface CloudInit {
  write_files: { path: string; permissions: string; content: string }[];
}

test("cloud-init installs the same service, and a token that nobody else reads", () => {
  const text = textOf("cloud-init.yaml");
  expect(text.startsWith("#cloud-config\n")).toBe(true);
  const { write_files } = parse(text) as CloudInit;
  const fileOf = (path: string) => write_files.find((file) => file.path === path);
  expect(fileOf("/etc/systemd/system/pumice-worker.service")?.content).toBe(unit);
  expect(fileOf("/etc/pumice-worker/token")?.permissions).toBe("0600");
});

test("Ansible installs the same service, and a token that nobody else reads", () => {
  const [play] = parse(textOf("ansible/playbook.yaml")) as {
    tasks: Record<string, unknown>[];
  }[];
  const copies = (play?.tasks ?? []).flatMap((task) => {
    const copy = task["ansible.builtin.copy"] as Record<string, string> | undefined;
    return copy ? [{ ...copy, no_log: task["no_log"] }] : [];
  });
  expect(copies).toContainEqual(
    expect.objectContaining({
      src: "../pumice-worker.service",
      dest: "/etc/systemd/system/pumice-worker.service",
    }),
  );
  expect(copies).toContainEqual(
    expect.objectContaining({
      dest: "/etc/pumice-worker/token",
      owner: "pumice-worker",
      mode: "0600",
      no_log: true,
    }),
  );
});
