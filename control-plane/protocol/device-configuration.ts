import * as v from "valibot";
import type { SourceProblem } from "./api.ts";
import { timeoutSchema } from "./job-actions.ts";
import { readYaml, type SourcePath, type SourcePosition } from "./read-yaml.ts";
import { anyMapping, listOf, loose, mapOf, text } from "./schema-parts.ts";
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

export interface ReadDeviceConfiguration {
  /** Undefined when there are problems. */
  configuration?: DeviceConfiguration;
  problems: SourceProblem[];
  locate: (path: SourcePath) => SourcePosition;
}

/** Reads a device's configuration from its text. Never throws. */
export function readDeviceConfiguration(source: string): ReadDeviceConfiguration {
  const { value, problems, locate } = readYaml(source);
  if (problems.length > 0) return { problems, locate };
  const result = v.safeParse(deviceConfigurationSchema, value);
  if (result.success) return { configuration: result.output, problems: [], locate };
  return { problems: sourceProblems(result.issues, locate), locate };
}
