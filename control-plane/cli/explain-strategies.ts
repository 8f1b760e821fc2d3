import type { DeviceConfiguration } from "#protocol/device-configuration.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { strategiesFor, type StrategyVerdict } from "#protocol/job-strategies.ts";
import { pathText } from "#protocol/read-yaml.ts";
import { SUPPORTED_METHODS } from "#protocol/supported-methods.ts";

/** For one action of a job: every strategy, and why those that don't take it don't. */
export interface ActionStrategies {
  /** `actions[0].deploy` */
  path: string;
  strategies: StrategyVerdict[];
  /** Set when Pumice's own runner can't do yet what the device could. */
  note?: string;
}

/** Every action of the job with the strategies there are for it on this device. */
export function explainStrategies(
  definition: JobDefinition,
  configuration: DeviceConfiguration,
): ActionStrategies[] {
  return definition.actions.map((action, index) => {
    const [kind = ""] = Object.keys(action);
    const strategies = strategiesFor(action, configuration);
    const taken = strategies.find(({ accepts }) => accepts)?.name;
    const note = taken === undefined ? undefined : runnerNote(kind, taken);
    return {
      path: pathText(["actions", index, kind]),
      strategies,
      ...(note === undefined ? {} : { note }),
    };
  });
}

/** For people: who takes each action, why the one that was asked for doesn't, and who was not asked for. */
export function strategyLines(actions: readonly ActionStrategies[]): string[] {
  return actions.flatMap(({ path, strategies, note }) => {
    const asked = strategies.filter(({ isOther }) => !isOther);
    const others = strategies.filter(({ isOther }) => isOther);
    return [
      path,
      ...asked.flatMap(({ name, accepts, reasons }) =>
        accepts ? [`  ${name}: accepts`] : reasons.map((reason) => `  ${name}: no: ${reason}`),
      ),
      ...(note === undefined ? [] : [`  ${note}`]),
      ...(others.length === 0
        ? []
        : [`  not asked for (${others[0]?.reasons[0] ?? ""}): ${others.map(nameOf).join(", ")}`]),
    ];
  });
}

const nameOf = ({ name }: StrategyVerdict): string => name;

function runnerNote(kind: string, name: string): string | undefined {
  const known: Readonly<Record<string, readonly string[]>> = SUPPORTED_METHODS;
  const names = Object.hasOwn(known, kind) ? known[kind] : [];
  if (names?.includes(name)) return undefined;
  return `note: Pumice's runner does not do ${kind} ${name} yet`;
}
