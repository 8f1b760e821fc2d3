import { describe, expect, test } from "vitest";
import { BY_TLS_ONLY, ofType, propertiesOf, type Fields } from "../support/infra/template-parts.ts";

describe("alarms", () => {
  const alarms = ofType("AWS::CloudWatch::Alarm");

  test("count what the functions log, by the class of failure", () => {
    const filters = ofType("AWS::Logs::MetricFilter").map(([, { Properties }]) => {
      const [transformation] = Properties["MetricTransformations"] as Fields[];
      const dimensions = transformation?.["Dimensions"];
      return [Properties["FilterPattern"], transformation?.["MetricName"], dimensions];
    });
    expect(filters).toEqual([
      ['{ $.message = "job finished" }', "JobsFinished", undefined],
      [
        '{ ($.message = "job finished") && ($.health = "Incomplete") }',
        "JobsFailed",
        [{ Key: "ErrorType", Value: "$.error_type" }],
      ],
      ['{ $.message = "worker offline" }', "WorkersLost", undefined],
    ]);
  });

  test("tell the topic, and are quiet when there is nothing to count", () => {
    for (const [, { Properties }] of alarms) {
      expect(Properties).toMatchObject({
        AlarmActions: [{ Ref: "Alarms" }],
        TreatMissingData: "notBreaching",
      });
    }
  });

  test("each can be switched off with its group", () => {
    const names: Record<string, string[]> = {};
    for (const [name, { Condition = "always" }] of alarms) (names[Condition] ??= []).push(name);
    expect(names).toEqual({
      WatchesJobs: [
        "InfrastructureFailures",
        "ConfigurationFailures",
        "BugFailures",
        "LostWorkers",
      ],
      WatchesService: ["OldPasses", "PassesGivenUp", "HttpFailures", "TickFailures"],
      WatchesThrottles: ["HttpThrottles", "TableThrottles"],
    });
  });

  test("cost at most one metric beyond the ten that are free", () => {
    const metrics = alarms.map(([, { Properties }]) => {
      const list = (Properties["Metrics"] ?? [{ MetricStat: {} }]) as Fields[];
      return list.filter((metric) => "MetricStat" in metric).length;
    });
    expect(metrics.reduce((sum, count) => sum + count, 0)).toBe(11);
  });

  test("only CloudWatch of this account publishes to the topic", () => {
    const { PolicyDocument } = propertiesOf("AlarmsPolicy") as { PolicyDocument: Fields };
    expect(PolicyDocument["Statement"]).toEqual([
      {
        Sid: "AlarmsOfThisAccount",
        Effect: "Allow",
        Principal: { Service: "cloudwatch.amazonaws.com" },
        Action: "sns:Publish",
        Resource: { Ref: "Alarms" },
        Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
      },
      {
        Sid: "OnlyTls",
        Effect: "Deny",
        Principal: "*",
        Action: "sns:Publish",
        Resource: { Ref: "Alarms" },
        Condition: BY_TLS_ONLY,
      },
    ]);
  });

  test("a budget warns at 80 % of the bill and of a forecast beyond it", () => {
    const { NotificationsWithSubscribers } = propertiesOf("Budget");
    expect(NotificationsWithSubscribers).toMatchObject([
      { Notification: { NotificationType: "ACTUAL", Threshold: 80 } },
      { Notification: { NotificationType: "FORECASTED", Threshold: 100 } },
    ]);
  });

  test("the dashboard is JSON, with fewer than the 50 metrics that are free", () => {
    const body = propertiesOf("Overview")["DashboardBody"] as { "Fn::Sub": string };
    const { widgets } = JSON.parse(body["Fn::Sub"]) as {
      widgets: { properties: { title: string; metrics: unknown[] } }[];
    };
    expect(widgets.map(({ properties }) => properties.title)).toEqual([
      "Jobs finished, per hour",
      "Jobs failed by class, per hour",
      "Workers lost, per hour",
      "Oldest scheduling pass (s), passes given up",
      "Requests and refusals",
      "Answer time, p50 and p99 (ms)",
      "Errors of functions",
      "Throttles",
      "Table: units read and written",
      "Cost: the account's bill of this month so far (USD)",
      "Cost: milliseconds of functions",
      "Cost: bytes of log taken in",
    ]);
    expect(widgets.flatMap(({ properties }) => properties.metrics).length).toBeLessThan(50);
  });
});
