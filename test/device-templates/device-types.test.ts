import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { stockTemplates, stockTemplatesFolder } from "../../control-plane/stock-templates.ts";
import { render } from "../../control-plane/templates/render.ts";

const templates = stockTemplates();
const shared = path.resolve(import.meta.dirname, "../../../shared");
const isHere = existsSync(shared);
const WHY = "(skipped when ../shared is absent: it is not part of this repository)";

interface Fact {
  name: string;
  rendered: null | {
    deploy_methods?: string[];
    boot_methods?: string[];
    parameters?: string[];
    bootloader_prompt?: Record<string, string>;
    character_delays?: Record<string, number>;
  };
}
interface Prompting {
  parameters?: { bootloader_prompt?: string } | null;
}
interface Section {
  methods?: Record<string, unknown> | null;
}
interface Configuration {
  constants: Record<string, Record<string, string>>;
  parameters: Record<string, Record<string, string>>;
  character_delays?: Record<string, number>;
  actions?: { deploy: Section; boot: Section };
}

const configurationOf = (
  dictionary: string,
  context: Record<string, unknown> = {},
): Configuration => {
  const load = (name: string) => (name === "board-01.jinja2" ? dictionary : templates(name));
  const { text } = render("board-01.jinja2", load, context);
  const { value, problems } = readYaml(text);
  expect(problems).toEqual([]);
  // Keys as JSON has them: all are strings.
  return JSON.parse(JSON.stringify(value)) as Configuration;
};
const ofType = (type: string, ...sets: string[]): Configuration =>
  configurationOf(
    [`{% extends '${type}.jinja2' %}`, ...sets.map((set) => `{% set ${set} %}`)].join("\n"),
  );
const keysOf = (mapping: object | null | undefined): string[] =>
  Object.keys(mapping ?? {}).toSorted();

describe.skipIf(!isHere)(`device types and LAVA's own ${WHY}`, () => {
  const facts = (): Fact[] =>
    JSON.parse(readFileSync(path.join(shared, "lava/device-types.json"), "utf8")) as Fact[];

  it("render bare, every one, to what LAVA's offer: methods, parameters, prompts, delays", () => {
    const differing: string[] = [];
    const all = facts();
    for (const { name, rendered } of all) {
      // `base` alone is no device: that it renders is all there is to say.
      const configuration = ofType(name);
      if (!rendered) continue;
      const { deploy, boot } = configuration.actions ?? {
        deploy: { methods: {} },
        boot: { methods: {} },
      };
      const prompts = Object.entries(rendered.bootloader_prompt ?? {}).map(([method]) => [
        method,
        (boot.methods?.[method] as Prompting | undefined)?.parameters?.bootloader_prompt ?? "",
      ]);
      const ours = {
        deploy_methods: keysOf(deploy.methods),
        boot_methods: keysOf(boot.methods),
        parameters: keysOf(configuration.parameters),
        bootloader_prompt: Object.fromEntries(prompts) as Record<string, string>,
        character_delays: configuration.character_delays ?? {},
      };
      const theirs = {
        deploy_methods: (rendered.deploy_methods ?? []).toSorted(),
        boot_methods: (rendered.boot_methods ?? []).toSorted(),
        parameters: (rendered.parameters ?? []).toSorted(),
        bootloader_prompt: rendered.bootloader_prompt ?? {},
        character_delays: rendered.character_delays ?? {},
      };
      if (JSON.stringify(sorted(ours)) !== JSON.stringify(sorted(theirs))) differing.push(name);
    }
    console.log(`device types as LAVA's: ${all.length - differing.length} of ${all.length}`);
    expect(differing).toEqual([]);
  });

  it("renders every dictionary of the corpus to an equal configuration", () => {
    const folder = path.join(shared, "corpus/devices");
    const names = readdirSync(folder).filter((name) => name.endsWith(".jinja2"));
    const differing: string[] = [];
    for (const name of names) {
      const ours = configurationOf(readFileSync(path.join(folder, name), "utf8"));
      const file = path.join(folder, name.replace(/jinja2$/, "json"));
      const theirs: unknown = JSON.parse(readFileSync(file, "utf8"));
      try {
        expect(ours).toEqual(theirs);
      } catch (error) {
        differing.push(`${name}: ${(error as Error).message}`);
      }
    }
    console.log(`dictionaries as LAVA: ${names.length - differing.length} of ${names.length}`);
    expect(names.length).toBeGreaterThan(0);
    expect(differing).toEqual([]);
  });
});

describe("device types", () => {
  const names = readdirSync(stockTemplatesFolder())
    .filter((name) => name.endsWith(".jinja2"))
    .map((name) => name.replace(/\.jinja2$/, ""));
  const inner = ["base", "recovery-commands"];

  it("are valid device configurations, each without a dictionary's help", () => {
    const wrong = names
      .filter((name) => !inner.includes(name))
      .flatMap((name) => {
        const dictionary = `{% extends '${name}.jinja2' %}`;
        const load = (wanted: string) => (wanted === "x" ? dictionary : templates(wanted));
        const { problems } = readDeviceConfiguration(render("x", load).text);
        return problems.map(({ path: where, message }) => `${name}: ${where} ${message}`);
      });
    expect(names.length).toBeGreaterThanOrEqual(489);
    expect(wrong).toEqual([]);
  });

  it("imx8mn-evk takes its addresses from U-Boot's environment, and fixed ones when asked", () => {
    const { kernel, ramdisk, dtb } = ofType("imx8mn-evk").parameters["booti"] ?? {};
    expect([kernel, ramdisk, dtb]).toEqual(["${loadaddr}", "${initrd_addr}", "${fdt_addr}"]);
    const fixed = ofType("imx8mn-evk", "use_uboot_env_addr = false").parameters["booti"];
    expect(fixed?.["kernel"]).toBe("0x40400000");
  });

  it("Juno r2 has a place for a TEE when the dictionary gives one, and none otherwise", () => {
    const plain = ofType("juno");
    expect(plain.parameters["booti"]).toEqual({
      kernel: "0x80080000",
      ramdisk: "0x84000000",
      dtb: "0x83000000",
    });
    expect(commands(plain, "ramdisk")).not.toContain("tftp {TEE_ADDR} {TEE}");
    const secure = ofType("juno", "vexpress_booti_tee_addr = '0x88000000'");
    expect(secure.parameters["booti"]).toMatchObject({ tee: "0x88000000", dtb: "0x83000000" });
    expect(commands(secure, "ramdisk")).toContain("tftp {TEE_ADDR} {TEE}");
  });

  it("SoCA9 has its device tree at 0x1000 and no ramdisk", () => {
    expect(ofType("soca9").parameters["bootz"]).toMatchObject({
      kernel: "0x01000000",
      ramdisk: "-",
      dtb: "0x00001000",
    });
  });

  it("a job's context overrides what a dictionary leaves open, and nothing that it sets", () => {
    const open = "{% extends 'qemu.jinja2' %}{% set memory = memory | default(1024) %}";
    const closed = "{% extends 'qemu.jinja2' %}{% set memory = 1024 %}";
    const optionsIn = (dictionary: string) =>
      options(configurationOf(dictionary, { arch: "arm64", memory: 2048 }));
    expect(optionsIn(open)).toContain("-m 2048");
    expect(optionsIn(closed)).toContain("-m 1024");
  });

  it("QEMU of each architecture has its program and its machine", () => {
    const qemu = (arch: string) => {
      const configuration = configurationOf("{% extends 'qemu.jinja2' %}", { arch });
      return [command(configuration), ...options(configuration)];
    };
    expect(qemu("arm64")).toEqual([
      "qemu-system-aarch64",
      "-cpu cortex-a57",
      "-machine virt",
      "-nographic",
      "-net nic,model=virtio,macaddr=52:54:00:12:34:58 -net user",
      "-m 512",
      "-monitor none",
    ]);
    expect(qemu("amd64").slice(0, 3)).toEqual(["qemu-system-x86_64", "-cpu host", "-enable-kvm"]);
    expect(qemu("riscv64").slice(0, 3)).toEqual([
      "qemu-system-riscv64",
      "-machine virt",
      "-cpu rv64",
    ]);
  });

  it("all of a static address make the kernel's ip= argument", () => {
    const configuration = ofType(
      "beaglebone-black",
      "static_ip = '10.0.0.5'",
      "static_gateway = '10.0.0.1'",
      "static_netmask = '255.255.255.0'",
      "static_dns = '10.0.0.2'",
    );
    expect(commands(configuration, "ramdisk").join("\n")).toContain(
      "ip=10.0.0.5::10.0.0.1:255.255.255.0:::off:10.0.0.2:",
    );
  });
});

const bootMethod = (configuration: Configuration, method: string) =>
  (configuration.actions?.boot.methods ?? {})[method] as Record<string, unknown>;
const commands = (configuration: Configuration, set: string): string[] =>
  (bootMethod(configuration, "u-boot")[set] as { commands: string[] }).commands;
const qemuParameters = (configuration: Configuration) =>
  bootMethod(configuration, "qemu")["parameters"] as { command: string; options: string[] };
const command = (configuration: Configuration) => qemuParameters(configuration).command;
const options = (configuration: Configuration) => qemuParameters(configuration).options;

const sorted = (value: Record<string, unknown>): [string, unknown][] =>
  Object.entries(value).map(([key, inner]) => [
    key,
    Array.isArray(inner)
      ? inner
      : Object.fromEntries(
          keysOf(inner as object).map((name) => [name, (inner as Record<string, unknown>)[name]]),
        ),
  ]);
