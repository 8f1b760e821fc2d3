import { parseTemplate } from "../../../infra/read-template.ts";
import { FakeRefusal, xmlOf, type Xml } from "./fake-xml.ts";

interface FakeStack {
  readonly id: string;
  readonly name: string;
  status: string;
  isProtected: boolean;
  parameters: Record<string, string>;
  /** Of each resource, what it is made of: a change shows. */
  resources: Map<string, { type: string; text: string; retained: boolean }>;
}

interface FakeChangeSet {
  readonly id: string;
  readonly stack: FakeStack;
  readonly isNew: boolean;
  readonly next: Pick<FakeStack, "parameters" | "resources">;
  readonly changes: Xml[];
  looks: number;
}

interface Event {
  readonly id: string;
  readonly stack: FakeStack;
  readonly name: string;
  readonly physical: string;
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

const STACK_TYPE = "AWS::CloudFormation::Stack";
/** As many events as one look shows more than the last: a deploy takes several. */
const EVENTS_A_LOOK = 7;

export type Form = Record<string, string>;

/**
 * CloudFormation as far as deploys use it: change sets that need a second look, events that come bit by bit, rollback
 * after a failure, protection, and data that stays. It makes no resources.
 */
export class FakeCloudFormation {
  readonly stacks = new Map<string, FakeStack>();
  /** Data that deleted stacks left, by physical name. */
  readonly kept = new Set<string>();
  /** Resource that fails, and why. */
  failing: { name: string; reason: string } | undefined;
  /** Resource that each update would make anew. */
  replacing: string | undefined;
  /** Where labs are; their own name of example without it. */
  url: string | undefined;
  readonly #sets = new Map<string, FakeChangeSet>();
  #events: Event[] = [];
  #shown = 0;
  #count = 0;

  call(action: string, form: Form): string {
    const actions: Record<string, (form: Form) => Xml> = {
      CreateChangeSet: (f) => this.#createChangeSet(f),
      DescribeChangeSet: (f) => this.#describeChangeSet(f),
      DeleteChangeSet: (f) => this.#deleteChangeSet(f),
      ExecuteChangeSet: (f) => this.#execute(f),
      DescribeStacks: (f) => this.#describeStacks(f),
      DescribeStackEvents: (f) => this.#describeEvents(f),
      DescribeStackResources: (f) => this.#describeResources(f),
      DeleteStack: (f) => this.#deleteStack(f),
      UpdateTerminationProtection: (f) => this.#protect(f),
    };
    const act = actions[action];
    if (!act) throw new FakeRefusal(400, "InvalidAction", `the fake has no ${action}`);
    return xmlOf(`${action}Response`, { [`${action}Result`]: act(form) });
  }

  #find(nameOrId: string): FakeStack {
    const found =
      this.stacks.get(nameOrId) ?? [...this.#byId.values()].find(({ id }) => id === nameOrId);
    if (!found)
      throw new FakeRefusal(400, "ValidationError", `Stack with id ${nameOrId} does not exist`);
    return found;
  }
  /** Deleted ones too: they are still known by their id. */
  readonly #byId = new Map<string, FakeStack>();

  #createChangeSet(form: Form): Xml {
    const name = form["StackName"] ?? "";
    const isNew = form["ChangeSetType"] === "CREATE";
    let stack = this.stacks.get(name);
    if (isNew && stack && stack.status !== "REVIEW_IN_PROGRESS") {
      throw new FakeRefusal(
        400,
        "ValidationError",
        `Stack ${name} already exists (${stack.status})`,
      );
    }
    if (!isNew && !stack)
      throw new FakeRefusal(400, "ValidationError", `Stack [${name}] does not exist`);
    if (!stack) {
      const id = `arn:aws:cloudformation:eu-west-1:123456789012:stack/${name}/${++this.#count}`;
      const fresh = { parameters: {}, resources: new Map(), isProtected: false };
      stack = { id, name, status: "REVIEW_IN_PROGRESS", ...fresh };
      this.stacks.set(name, stack);
      this.#byId.set(id, stack);
    }
    const next = this.#wanted(form, stack);
    const id = `arn:aws:cloudformation:eu-west-1:123456789012:changeSet/${++this.#count}`;
    const changes = this.#changes(stack, next, form["ImportExistingResources"] === "true");
    this.#sets.set(id, { id, stack, isNew, next, changes, looks: 0 });
    return { Id: id, StackId: stack.id };
  }

  #wanted(form: Form, stack: FakeStack): FakeChangeSet["next"] {
    const template = parseTemplate(form["TemplateBody"] ?? "");
    const parameters: Record<string, string> = {};
    for (const [name, { Default }] of Object.entries(template.Parameters ?? {})) {
      if (Default !== undefined) parameters[name] = String(Default);
    }
    for (let n = 1; form[`Parameters.member.${n}.ParameterKey`]; n++) {
      const at = `Parameters.member.${n}.`;
      const name = form[`${at}ParameterKey`] ?? "";
      if (!Object.hasOwn(template.Parameters ?? {}, name)) {
        throw new FakeRefusal(
          400,
          "ValidationError",
          `Parameters: [${name}] do not exist in the template`,
        );
      }
      const kept = form[`${at}UsePreviousValue`] === "true";
      parameters[name] = (kept ? stack.parameters[name] : form[`${at}ParameterValue`]) ?? "";
    }
    const missing = Object.keys(template.Parameters ?? {}).filter((name) => !(name in parameters));
    if (missing.length > 0) {
      throw new FakeRefusal(
        400,
        "ValidationError",
        `Parameters: [${missing.join(", ")}] must have values`,
      );
    }
    const resources: FakeStack["resources"] = new Map();
    for (const [name, resource] of Object.entries(template.Resources)) {
      const text = JSON.stringify(resource).replaceAll(
        /\{"Ref":"(\w+)"\}/g,
        (ref, parameter: string) => JSON.stringify(parameters[parameter] ?? ref),
      );
      const retained = resource.DeletionPolicy === "Retain";
      resources.set(name, { type: resource.Type, text, retained });
    }
    return { parameters, resources };
  }

  #changes(stack: FakeStack, next: FakeChangeSet["next"], imports: boolean): Xml[] {
    const change = (
      Action: string,
      LogicalResourceId: string,
      type: string,
      more: Xml = {},
    ): Xml => ({
      Type: "Resource",
      ResourceChange: { Action, LogicalResourceId, ResourceType: type, ...more },
    });
    const changes: Xml[] = [];
    for (const [name, { type, text, retained }] of next.resources) {
      const before = stack.resources.get(name);
      const isKept = retained && this.kept.has(this.physical(stack, name, type));
      if (!before) changes.push(change(imports && isKept ? "Import" : "Add", name, type));
      else if (before.text !== text || this.replacing === name) {
        const Replacement = this.replacing === name ? "True" : "False";
        const Details = {
          member: [{ Target: { Attribute: "Properties", Name: changed(before.text, text) } }],
        };
        changes.push(change("Modify", name, type, { Replacement, Details }));
      }
    }
    for (const [name, { type }] of stack.resources) {
      if (!next.resources.has(name)) changes.push(change("Remove", name, type));
    }
    return changes;
  }

  #set(form: Form): FakeChangeSet {
    const set = this.#sets.get(form["ChangeSetName"] ?? "");
    if (!set) throw new FakeRefusal(404, "ChangeSetNotFound", "ChangeSet does not exist");
    return set;
  }

  /** Pages of 20 changes. */
  #describeChangeSet(form: Form): Xml {
    const set = this.#set(form);
    if (set.looks++ === 0) return { Status: "CREATE_IN_PROGRESS" };
    if (set.changes.length === 0) {
      const StatusReason =
        "The submitted information didn't contain changes. Submit different information to create a change set.";
      return { Status: "FAILED", StatusReason };
    }
    const from = Number(form["NextToken"] ?? 0);
    const member = set.changes.slice(from, from + 20);
    const more = from + 20 < set.changes.length ? { NextToken: String(from + 20) } : {};
    return { Status: "CREATE_COMPLETE", Changes: { member }, ...more };
  }

  #deleteChangeSet(form: Form): Xml {
    this.#sets.delete(this.#set(form).id);
    return {};
  }

  #execute(form: Form): Xml {
    const { stack, isNew, next } = this.#set(form);
    const verb = isNew ? "CREATE" : "UPDATE";
    const { failing } = this;
    this.#event(stack, stack.name, STACK_TYPE, `${verb}_IN_PROGRESS`);
    for (const [name, { type, text }] of next.resources) {
      if (stack.resources.get(name)?.text === text) continue;
      this.#event(stack, name, type, `${verb}_IN_PROGRESS`);
      if (failing?.name !== name) {
        this.#event(stack, name, type, `${verb}_COMPLETE`);
        continue;
      }
      this.#event(stack, name, type, `${verb}_FAILED`, failing.reason);
      this.#event(stack, "Other", type, `${verb}_FAILED`, `Resource creation cancelled`);
      const back = isNew ? "ROLLBACK" : "UPDATE_ROLLBACK";
      this.#event(stack, stack.name, STACK_TYPE, `${back}_IN_PROGRESS`);
      stack.status = `${back}_COMPLETE`;
      this.#event(stack, stack.name, STACK_TYPE, stack.status);
      return {};
    }
    Object.assign(stack, next);
    stack.status = `${verb}_COMPLETE`;
    this.#event(stack, stack.name, STACK_TYPE, stack.status);
    return {};
  }

  #event(stack: FakeStack, name: string, type: string, status: string, reason = ""): void {
    const physical = type === STACK_TYPE ? stack.id : this.physical(stack, name, type);
    const id = String(++this.#count);
    this.#events.push({ id, stack, name, physical, type, status, reason });
  }

  #describeEvents(form: Form): Xml {
    const stack = this.#find(form["StackName"] ?? "");
    this.#shown = Math.min(this.#shown + EVENTS_A_LOOK, this.#events.length);
    const shown = this.#events.slice(0, this.#shown).filter((event) => event.stack === stack);
    const member = shown.toReversed().map((event) => ({
      EventId: event.id,
      StackId: stack.id,
      LogicalResourceId: event.name,
      PhysicalResourceId: event.physical,
      ResourceType: event.type,
      ResourceStatus: event.status,
      ResourceStatusReason: event.reason,
    }));
    const from = Number(form["NextToken"] ?? 0);
    const more = from + 50 < member.length ? { NextToken: String(from + 50) } : {};
    return { StackEvents: { member: member.slice(from, from + 50) }, ...more };
  }

  #describeStacks(form: Form): Xml {
    const stack = this.#find(form["StackName"] ?? "");
    const { id, name, status, parameters } = stack;
    const shown = Object.entries(parameters).map(([ParameterKey, value]) => ({
      ParameterKey,
      ParameterValue: ParameterKey === "FirstAdmin" ? "****" : value,
    }));
    const outputs = Object.entries(this.outputs(stack)).map(([OutputKey, OutputValue]) => ({
      OutputKey,
      OutputValue,
    }));
    const description = {
      StackId: id,
      StackName: name,
      StackStatus: status,
      Parameters: { member: shown },
      Outputs: { member: outputs },
    };
    return { Stacks: { member: [description] } };
  }

  outputs({ name, parameters }: FakeStack): Record<string, string> {
    return name === "pumice-code"
      ? { CodeBucketName: "pumice-code-bucket" }
      : {
          Url: this.url ?? `https://${name}.example`,
          EventsUrl: `wss://events.${name}.example/ws`,
          Release: parameters["Release"] ?? "",
        };
  }

  physical({ name }: Pick<FakeStack, "name">, logical: string, type: string): string {
    if (type === "AWS::DynamoDB::Table") return name;
    if (logical === "Blobs") return `${name}-123456789012-eu-west-1`;
    return logical === "Code" ? "pumice-code-bucket" : `${name}-${logical}`;
  }

  #describeResources(form: Form): Xml {
    const stack = this.#find(form["StackName"] ?? "");
    const member = [...stack.resources].map(([name, { type }]) => ({
      LogicalResourceId: name,
      ResourceType: type,
      PhysicalResourceId: this.physical(stack, name, type),
      ResourceStatus: "CREATE_COMPLETE",
    }));
    return { StackResources: { member } };
  }

  #deleteStack(form: Form): Xml {
    const stack = this.#find(form["StackName"] ?? "");
    if (stack.isProtected) {
      throw new FakeRefusal(
        400,
        "ValidationError",
        `Stack [${stack.name}] cannot be deleted while TerminationProtection is enabled`,
      );
    }
    this.stacks.delete(stack.name);
    for (const [name, { type, retained }] of stack.resources) {
      if (retained) this.kept.add(this.physical(stack, name, type));
      this.#event(stack, name, type, retained ? "DELETE_SKIPPED" : "DELETE_COMPLETE");
    }
    stack.status = "DELETE_COMPLETE";
    this.#event(stack, stack.name, STACK_TYPE, stack.status);
    return {};
  }

  #protect(form: Form): Xml {
    const stack = this.#find(form["StackName"] ?? "");
    stack.isProtected = form["EnableTerminationProtection"] === "true";
    return { StackId: stack.id };
  }
}

/** Name of the first property that differs. */
function changed(before: string, after: string): string {
  const propertiesOf = (text: string) =>
    (JSON.parse(text) as { Properties: Record<string, unknown> }).Properties;
  const old = propertiesOf(before);
  const differs = ([name, value]: [string, unknown]) =>
    JSON.stringify(value) !== JSON.stringify(old[name]);
  return Object.entries(propertiesOf(after)).find(differs)?.[0] ?? "";
}
