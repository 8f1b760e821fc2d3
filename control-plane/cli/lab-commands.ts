import type { AddedWorker, DeviceTypeView, DeviceView, WorkerView } from "#protocol/api.ts";
import { DEVICE_HEALTHS } from "#protocol/states.ts";
import { upgradeText, versionText, workerNotices } from "#protocol/upgrade-text.ts";
import {
  argumentsOf,
  JSON_HELP,
  JSON_OPTION,
  readNamedFile,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { enrolCommand } from "./enrol-command.ts";
import { printList } from "./print-list.ts";
import { printable } from "./printable.ts";
import { newPrivateFile } from "./private-file.ts";
import { removeNamed } from "./remove-named.ts";
import { tellingProblems } from "./telling-problems.ts";

export const labCommands: readonly Command[] = [
  {
    usage: "devices",
    about: "list devices",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: listDevices,
  },
  {
    usage: "devices add HOSTNAME",
    about: "make or replace a device",
    options: {
      type: { type: "string" },
      worker: { type: "string" },
      dictionary: { type: "string" },
      config: { type: "string" },
      tags: { type: "string" },
      description: { type: "string" },
    },
    help: [
      "--type TYPE         its device type; made when it is new",
      "--worker NAME       the worker it is connected to",
      "--dictionary FILE   its device dictionary, Jinja2 (docs/devices.md)",
      "--config FILE       in its place: the configuration itself, YAML",
      "--tags A,B          what jobs may ask for",
      "--description TEXT",
    ],
    run: addDevice,
  },
  {
    usage: "devices health HOSTNAME HEALTH",
    about: `set a device's health: ${DEVICE_HEALTHS.join(", ")}`,
    options: { reason: { type: "string" } },
    help: ["--reason TEXT       kept with the change"],
    run: async (context) => {
      const [hostname = "", health = ""] = argumentsOf(context, "HOSTNAME", "HEALTH");
      const reason = textOf(context.values, "reason");
      await context.client().json("POST", `/devices/${encodeURIComponent(hostname)}/health`, {
        health,
        ...(reason === undefined ? {} : { reason }),
      });
      context.terminal.say(`${hostname} is ${health}`);
      return 0;
    },
  },
  {
    usage: "devices release HOSTNAME",
    about: "take a device from a job whose worker doesn't come back",
    run: async (context) => {
      const [hostname = ""] = argumentsOf(context, "HOSTNAME");
      const where = `/devices/${encodeURIComponent(hostname)}/release`;
      const device = await context.client().json<DeviceView>("POST", where);
      context.terminal.say(`${hostname} is ${device.state}, its health is ${device.health}`);
      return 0;
    },
  },
  {
    usage: "devices remove HOSTNAME",
    about: "remove a device",
    run: (context) => removeNamed(context, "devices", "HOSTNAME"),
  },
  {
    usage: "device-types",
    about: "list device types",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<DeviceTypeView>(
        context,
        "/device-types",
        "device_types",
        ["TYPE", "DEVICES", "QUEUED"],
        (type) => [type.name, String(type.devices), String(type.queued)],
      ),
  },
  {
    usage: "workers",
    about: "list workers",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: async (context) => {
      const notices: string[] = [];
      const code = await printList<WorkerView>(
        context,
        "/workers",
        "workers",
        ["WORKER", "STATE", "HEALTH", "LAST SYNC (UTC)", "VERSION", "UPGRADE", "DEVICES"],
        (worker) => {
          notices.push(...workerNotices(worker).map((text) => `${worker.name}: ${text}`));
          return [
            worker.name,
            { text: worker.state, colour: worker.state === "Online" ? "green" : "red" },
            worker.health,
            worker.enrolment_expires === undefined
              ? (worker.last_sync?.slice(0, 19).replace("T", " ") ?? "never")
              : "waits for enrolment",
            versionText(worker),
            upgradeText(worker),
            worker.devices.join(", "),
          ];
        },
      );
      for (const notice of notices) context.terminal.say(printable(notice));
      return code;
    },
  },
  {
    usage: "workers show NAME",
    about: "print what is known of a worker, as JSON",
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "NAME");
      const where = `/workers/${encodeURIComponent(name)}`;
      const worker = await context.client().json<WorkerView>("GET", where);
      context.terminal.out(JSON.stringify(worker, undefined, 2));
      for (const notice of workerNotices(worker))
        context.terminal.say(printable(`${name}: ${notice}`));
      return 0;
    },
  },
  {
    usage: "workers add NAME",
    about: "make a worker and print its token, once",
    options: { "write-token": { type: "string" }, description: { type: "string" } },
    help: [
      "--write-token FILE  write the token there (mode 0600) instead of printing it",
      "--description TEXT",
    ],
    run: addWorker,
  },
  enrolCommand,
  {
    usage: "workers remove NAME",
    about: "remove a worker; its token is dead at once",
    run: (context) => removeNamed(context, "workers", "NAME"),
  },
];

async function listDevices(context: Context): Promise<number> {
  return printList<DeviceView>(
    context,
    "/devices",
    "devices",
    ["DEVICE", "TYPE", "WORKER", "STATE", "HEALTH", "JOB", "TAGS"],
    (device) => [
      device.hostname,
      device.device_type,
      device.worker,
      device.state,
      { text: device.health, colour: device.health === "Good" ? "green" : "yellow" },
      device.current_job === undefined ? "" : String(device.current_job),
      device.tags.join(", "),
    ],
  );
}

async function addDevice(context: Context): Promise<number> {
  const [hostname = ""] = argumentsOf(context, "HOSTNAME");
  const { values } = context;
  const required = (name: string): string => {
    const value = textOf(values, name);
    if (!value) throw new UsageError(`--${name} is missing`);
    return value;
  };
  const dictionary = textOf(values, "dictionary");
  const file = dictionary ?? textOf(values, "config");
  if (file === undefined || (dictionary !== undefined && values["config"] !== undefined)) {
    throw new UsageError("expected --dictionary FILE, or --config FILE in its place");
  }
  const device = {
    device_type: required("type"),
    worker: required("worker"),
    [dictionary === undefined ? "configuration" : "dictionary"]: readNamedFile(file),
    tags: textOf(values, "tags")?.split(",").filter(Boolean) ?? [],
    description: textOf(values, "description") ?? "",
  };
  const where = `/devices/${encodeURIComponent(hostname)}`;
  const client = context.client();
  const added = await tellingProblems(context, file, () =>
    client.json<DeviceView>("PUT", where, device),
  );
  if (!added) return 2;
  context.terminal.say(`Device ${added.hostname} is there: ${added.health}, ${added.state}`);
  return 0;
}

async function addWorker(context: Context): Promise<number> {
  const [name = ""] = argumentsOf(context, "NAME");
  const description = textOf(context.values, "description") ?? "";
  const file = textOf(context.values, "write-token");
  const client = context.client();
  // Opened before the worker is made: a token that can't be written would be lost.
  const written = file === undefined ? undefined : newPrivateFile(file);
  let worker: AddedWorker;
  try {
    worker = await client.json<AddedWorker>("POST", "/workers", { name, description });
  } catch (error) {
    written?.discard();
    throw error;
  }
  if (written) {
    written.write(`${worker.token}\n`);
    context.terminal.say(`The token of ${worker.name} is in ${file}`);
  } else {
    context.terminal.out(worker.token);
    context.terminal.say("This is the only time the token is shown.");
  }
  return 0;
}
