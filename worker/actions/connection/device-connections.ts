import path from "node:path";
import { readConnectionCommand, type Target } from "../../drivers/connection-command.ts";
import { requireTool } from "../../host/tool.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/** How a program is asked to end its connection (DISPATCHER.md 14). */
export type EndTag = "telnet" | "ssh" | "shell";

/** A connection of a device's configuration. */
export interface DeviceConnection {
  /** The hardware's name, for example `uart0`; `serial` of a device that has one connection without a name. */
  readonly name: string;
  readonly target: Target;
  /** Undefined when nobody says how its program is to be ended. */
  readonly endTag: EndTag | undefined;
}

const UNNAMED = "serial";

/**
 * The connection that `connect-device` uses: `commands.connect`, else the one of `commands.connections` with the tag
 * `primary` (DEVICE.md 1.2).
 *
 * @throws JobFailure Configuration when the device has none, or more than one.
 */
export function primaryConnection(job: JobContext): DeviceConnection {
  const { connect, must_use_connection: mustBeNamed } = job.device.commands ?? {};
  const named = connectionsOf(job);
  if (connect !== undefined && connect !== null && connect !== "") {
    if (mustBeNamed === true && named.length === 0) {
      throw wrong(job, "must_use_connection wants connection_list and connection_commands");
    }
    return connectionOf(job, UNNAMED, connect, []);
  }
  const primary = named.filter(({ tags }) => tags.includes("primary"));
  const [first, second] = primary;
  if (named.length === 0) {
    throw wrong(job, "it has no connection: set connection_command in its dictionary");
  }
  if (!first || second) {
    const names = named.map(({ name }) => name).join(", ");
    const have = `${primary.length} of its connections (${names}) have the tag primary`;
    throw wrong(job, `${have}, expected exactly one: set connection_tags`);
  }
  return connectionOf(job, first.name, first.connect, first.tags);
}

/**
 * A connection by the name of its hardware.
 *
 * @throws JobFailure Job when the device has none of this name.
 */
export function namedConnection(job: JobContext, name: unknown): DeviceConnection {
  const named = connectionsOf(job);
  const found = named.find((connection) => connection.name === name);
  if (found) return connectionOf(job, found.name, found.connect, found.tags);
  const names = named.map((connection) => connection.name).join(", ") || "none";
  const message = `connection: ${JSON.stringify(name) ?? "missing"}: device ${job.deviceHostname} has ${names}`;
  throw new JobFailure("Job", message);
}

/** @throws JobFailure Infrastructure when the program of a connection is not there. */
export function requireProgram({ target }: DeviceConnection): void {
  if (target.kind === "program") requireTool(target.argv[0]);
}

/**
 * Makes sure that a connection can be ended in order. What this worker speaks itself it can always end.
 *
 * @throws JobFailure Configuration for a program that nobody knows how to end.
 */
export function requireEnd({ name, target, endTag }: DeviceConnection): void {
  if (target.kind !== "program" || endTag) return;
  const message = `connection ${name} (${target.argv[0]}) can't be closed in order: give it one of the tags telnet, ssh, shell`;
  throw new JobFailure("Configuration", message);
}

interface NamedConnection {
  readonly name: string;
  readonly connect: unknown;
  readonly tags: readonly string[];
}

function connectionsOf({ device }: JobContext): NamedConnection[] {
  const connections = device.commands?.["connections"] ?? {};
  if (typeof connections !== "object") return [];
  return Object.entries(connections as Record<string, { connect?: unknown; tags?: unknown }>).map(
    ([name, connection]) => {
      const { connect, tags } = connection ?? {};
      return { name, connect, tags: Array.isArray(tags) ? tags.map(String) : [] };
    },
  );
}

const END_TAGS: readonly EndTag[] = ["telnet", "ssh", "shell"];

function connectionOf(
  job: JobContext,
  name: string,
  connect: unknown,
  tags: readonly string[],
): DeviceConnection {
  if (typeof connect !== "string") throw wrong(job, `connection ${name} has no command`);
  const target = readConnectionCommand(connect);
  // A device with one unnamed connection has no tags: its program tells.
  const program = target.kind === "program" ? path.basename(target.argv[0]) : "";
  const endTag =
    END_TAGS.find((tag) => tags.includes(tag)) ?? END_TAGS.find((tag) => tag === program);
  return { name, target, endTag };
}

const wrong = ({ deviceHostname }: JobContext, why: string): JobFailure =>
  new JobFailure("Configuration", `device ${deviceHostname}: ${why}`);
