import type { DeviceConfiguration } from "#protocol/device-configuration.ts";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { readRunnerJob } from "#protocol/job-definition.ts";
import type { SourceProblem } from "#protocol/api.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import type { Ticket } from "#protocol/worker-api.ts";
import { readWorkerEnvironment, type WorkerEnvironment } from "#protocol/worker-environment.ts";
import type { JobContext } from "./pipeline/action.ts";
import { JobFailure } from "./pipeline/job-failure.ts";

/**
 * What the actions of a job know of it, read from its ticket.
 *
 * @throws JobFailure Job for a definition, Configuration for a device that can't be read: the control plane
 * has looked at both before, so this is a difference of versions.
 */
export function readTicket(ticket: Ticket, scratch: string): JobContext {
  return {
    jobId: ticket.job_id,
    definition: definitionOf(ticket),
    device: deviceOf(ticket),
    deviceHostname: ticket.device_hostname,
    deviceType: ticket.device_type,
    dispatcher: mappingOf(ticket.dispatcher, "the worker's settings"),
    // `purge` and `removes` have no meaning on a DUT.
    envDut: environmentOf(ticket.env_dut, "env-dut").overrides,
    scratch,
  };
}

function definitionOf({ definition: text }: Ticket): JobDefinition {
  const { definition, problems } = readRunnerJob(text);
  if (definition) return definition;
  throw new JobFailure("Job", `Invalid job data: ${sentence(problems)}`);
}

function deviceOf({ device: text, device_hostname }: Ticket): DeviceConfiguration {
  const { configuration, problems } = readDeviceConfiguration(text);
  if (configuration) return configuration;
  const message = `configuration of device ${device_hostname}: ${sentence(problems)}`;
  throw new JobFailure("Configuration", message);
}

function mappingOf(text: string, what: string): Record<string, unknown> {
  if (text.trim() === "") return {};
  const { value, problems } = readYaml(text);
  if (problems.length > 0) {
    throw new JobFailure("Configuration", `${what}: ${sentence(problems)}`);
  }
  if (value === null || value === undefined) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new JobFailure("Configuration", `${what}: expected a mapping`);
}

/**
 * What the lab says of an environment in a text of the worker.
 *
 * @throws JobFailure Configuration
 */
export function environmentOf(text: string, what: string): WorkerEnvironment {
  const { environment, problems } = readWorkerEnvironment(text);
  if (problems.length > 0) {
    throw new JobFailure("Configuration", `${what}: ${sentence(problems)}`);
  }
  return environment;
}

const sentence = (problems: readonly SourceProblem[]): string =>
  problems
    .map(({ path, line, column, message }) => `${line}:${column} ${path}: ${message}`)
    .join("; ");
