import type { DeviceConfiguration } from "#protocol/device-configuration.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { strategiesFor, type StrategyVerdict } from "#protocol/job-strategies.ts";
import { pathText } from "#protocol/read-yaml.ts";

/** For one action of a job: every strategy, and why those that don't take it don't. */
export interface ActionStrategies {
  /** `actions[0].deploy` */
  path: string;
  strategies: StrategyVerdict[];
}

/** Every action of the job with the strategies there are for it on this device. */
export function explainStrategies(
  definition: JobDefinition,
  configuration: DeviceConfiguration,
): ActionStrategies[] {
  return definition.actions.map((action, index) => {
    const [kind = ""] = Object.keys(action);
    const path = pathText(["actions", index, kind]);
    return { path, strategies: strategiesFor(action, configuration) };
  });
}

/** For people: who takes each action, why the one that was asked for doesn't, and who was not asked for. */
export function strategyLines(actions: readonly ActionStrategies[]): string[] {
  return actions.flatMap(({ path, strategies }) => {
    const asked = strategies.filter(({ isOther }) => !isOther);
    const others = strategies.filter(({ isOther }) => isOther);
    return [
      path,
      ...asked.flatMap(({ name, accepts, reasons }) =>
        accepts ? [`  ${name}: accepts`] : reasons.map((reason) => `  ${name}: no: ${reason}`),
      ),
      ...(others.length === 0
        ? []
        : [`  not asked for (${others[0]?.reasons[0] ?? ""}): ${others.map(nameOf).join(", ")}`]),
    ];
  });
}

const nameOf = ({ name }: StrategyVerdict): string => name;
