import * as v from "valibot";
import type { SourceProblem } from "./api.ts";
import { timeoutSchema } from "./job-actions.ts";
import { readYaml, type SourcePath, type SourcePosition } from "./read-yaml.ts";
import { anyMapping, flag, integer, listOf, loose, mapOf, strict, text } from "./schema-parts.ts";
import { sourceProblems } from "./source-problems.ts";

/** A mapping whose keys matter and whose values may be empty: `serial:` (DEVICE.md 1). */
const methods = anyMapping;
const optionalMapping = v.optional(v.nullable(anyMapping));
const timeouts = v.optional(v.nullable(mapOf(timeoutSchema)));
const info = v.optional(v.nullable(listOf(anyMapping)));

/**
 * What a device dictionary renders to, checked as LAVA's worker does (DEVICE.md 1.1): the required keys are
 * there, what we read has its type, anything else is allowed.
 */
const deviceConfigurationSchema = loose({
  hostname: v.optional(v.nullable(text)),
  devicetype: v.optional(v.nullable(text)),
  constants: loose({}),
  parameters: v.nullable(loose({})),
  commands: optionalMapping,
  available_architectures: v.optional(v.nullable(listOf(text))),
  actions: loose({
    deploy: loose({ methods: v.nullable(methods) }),
    boot: loose({ methods: v.nullable(methods) }),
  }),
  timeouts: loose({ actions: timeouts, connections: timeouts }),
  character_delays: v.optional(
    v.nullable(
      loose({
        deploy: v.optional(v.nullable(v.number("expected milliseconds"))),
        boot: v.optional(v.nullable(v.number("expected milliseconds"))),
        test: v.optional(v.nullable(v.number("expected milliseconds"))),
      }),
    ),
  ),
  environment: optionalMapping,
  device_info: info,
  static_info: info,
  storage_info: info,
});
export type DeviceConfiguration = v.InferOutput<typeof deviceConfigurationSchema>;

const maybe = <S extends v.GenericSchema>(schema: S) => v.optional(v.nullable(schema));
const anything = v.optional(v.unknown());
const textOrList = v.union([text, v.array(v.string())], "expected text or a list of text");
const usbId = v.pipe(text, v.length(4, "expected exactly 4 characters"));
const oneUnit = v.pipe(
  mapOf(integer, v.picklist(["days", "hours", "minutes", "seconds"])),
  v.check((timeout) => Object.keys(timeout).length === 1, "expected one unit"),
);
const namedTimeouts = maybe(
  mapOf(oneUnit, v.pipe(v.string(), v.regex(/^[a-z-]+$/, "expected a name of a-z and -"))),
);

/** What a server wants beyond that, before it takes a device as valid (DEVICE.md 1.1). */
const validDeviceSchema = v.pipe(
  strict({
    hostname: maybe(text),
    devicetype: maybe(text),
    constants: anything,
    commands: maybe(
      v.objectWithRest(
        { must_use_connection: maybe(flag) },
        v.union([anyMapping, v.array(v.unknown()), text], "expected a mapping, a list or text"),
      ),
    ),
    character_delays: anything,
    parameters: anything,
    actions: strict({
      deploy: strict({
        connections: anything,
        methods: anything,
        parameters: maybe(mapOf(v.union([text, flag], "expected text, true or false"))),
      }),
      boot: strict({ connections: anything, methods: anything }),
      test: anything,
    }),
    timeouts: strict({ actions: namedTimeouts, connections: namedTimeouts }),
    device_info: anything,
    static_info: anything,
    storage_info: anything,
    environment: anything,
    adb_serial_number: maybe(text),
    fastboot_serial_number: maybe(text),
    fastboot_auto_detection: maybe(flag),
    fastboot_via_uboot: maybe(flag),
    fastboot_options: maybe(listOf(text)),
    flash_cmds_order: maybe(listOf(text)),
    board_id: maybe(text),
    board_qdl_id: maybe(text),
    usb_vendor_id: maybe(usbId),
    usb_product_id: maybe(usbId),
    usb_sleep: maybe(integer),
    usb_filesystem_label: maybe(text),
    usb_serial_driver: maybe(text),
    available_architectures: anything,
    uuu_usb_otg_path: maybe(textOrList),
    uuu_usb_otg_path_command: maybe(textOrList),
    uuu_corrupt_boot_media_command: maybe(textOrList),
  }),
  v.check(
    ({ actions, commands }) => !hasSshHost(actions.deploy.methods) || !hasPower(commands),
    "a device that is reached by ssh (actions.deploy.methods.ssh.host) can't have the commands hard_reset, power_on and power_off",
  ),
);

const hasSshHost = (deploy: unknown): boolean => {
  const { ssh } = (deploy ?? {}) as { ssh?: { host?: unknown } | null };
  return Boolean(ssh?.host);
};
const hasPower = (commands: object | null | undefined): boolean =>
  ["hard_reset", "power_on", "power_off"].some((name) => Object.hasOwn(commands ?? {}, name));

export interface ReadDeviceConfiguration {
  /** Undefined when there are problems. */
  configuration?: DeviceConfiguration;
  problems: SourceProblem[];
  /** What only a server minds: it takes no device that has such problems. */
  strict: SourceProblem[];
  locate: (path: SourcePath) => SourcePosition;
}

/** Reads a device's configuration from its text. Never throws. */
export function readDeviceConfiguration(source: string): ReadDeviceConfiguration {
  const { value, problems, locate } = readYaml(source);
  if (problems.length > 0) return { problems, strict: [], locate };
  return { ...checkDeviceConfiguration(value, locate), locate };
}

/** The same for one that has been read from YAML. */
export function checkDeviceConfiguration(
  value: unknown,
  locate: (path: SourcePath) => SourcePosition,
): Omit<ReadDeviceConfiguration, "locate"> {
  const result = v.safeParse(deviceConfigurationSchema, value);
  if (!result.success) return { problems: sourceProblems(result.issues, locate), strict: [] };
  const valid = v.safeParse(validDeviceSchema, value);
  const strict = valid.success ? [] : sourceProblems(valid.issues, locate);
  return { configuration: result.output, problems: [], strict };
}
