import { describe, expect, test } from "vitest";
import { arnOf, ofType, propertiesOf, type Fields } from "../support/infra/template-parts.ts";

describe("how it runs", () => {
  test("four functions of one zip on arm64, with time for what they do", () => {
    const functions = ofType("AWS::Lambda::Function").map(([name, { Properties }]) => {
      const { Handler, Timeout, MemorySize, Runtime, Architectures, Code } = Properties;
      expect([Runtime, Architectures]).toEqual(["nodejs24.x", ["arm64"]]);
      expect(Code).toEqual({ S3Bucket: { Ref: "CodeBucket" }, S3Key: { Ref: "CodeKey" } });
      return [name, Handler, Timeout, MemorySize];
    });
    expect(functions).toEqual([
      ["Http", "http.handler", 29, 512],
      ["Schedule", "schedule.handler", 60, 512],
      ["Tick", "tick.handler", 60, 256],
      ["Events", "events.handler", 60, 256],
    ]);
  });

  test("functions know their lab by environment variables", () => {
    const known = {
      PUMICE_TABLE: { Ref: "Table" },
      PUMICE_BUCKET: { Ref: "Blobs" },
      PUMICE_PASSES_QUEUE_URL: { Ref: "Passes" },
      PUMICE_QUEUE_PREFIX: { Ref: "AWS::StackName" },
      PUMICE_RETENTION_DAYS: { Ref: "RetentionDays" },
      PUMICE_ARCHIVE: { Ref: "Archive" },
      PUMICE_LOG_LEVEL: { Ref: "LogLevel" },
    };
    const variablesOf = (name: string) =>
      (propertiesOf(name)["Environment"] as { Variables: Fields }).Variables;
    const events = "${EventsApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/ws";
    expect(variablesOf("Http")).toEqual({
      ...known,
      PUMICE_FIRST_ADMIN: { Ref: "FirstAdmin" },
      PUMICE_EVENTS_URL: {
        "Fn::If": [
          "HasEventsDomain",
          { "Fn::Sub": "https://${EventsDomainName}/ws" },
          { "Fn::Sub": `https://${events}` },
        ],
      },
    });
    expect(variablesOf("Schedule")).toEqual(known);
    expect(variablesOf("Tick")).toEqual(known);
    const PUMICE_CONNECTIONS_URL = { "Fn::Sub": `https://${events}` };
    expect(variablesOf("Events")).toEqual({ ...known, PUMICE_CONNECTIONS_URL });
  });

  test("passes come in order for each device type, and a failed one is tried five times", () => {
    expect(propertiesOf("Passes")).toMatchObject({
      FifoQueue: true,
      DeduplicationScope: "messageGroup",
      FifoThroughputLimit: "perMessageGroupId",
      RedrivePolicy: { deadLetterTargetArn: arnOf("DeadPasses"), maxReceiveCount: 5 },
    });
    expect(propertiesOf("TakePasses")).toMatchObject({
      EventSourceArn: arnOf("Passes"),
      FunctionName: { Ref: "Schedule" },
      BatchSize: 10,
      FunctionResponseTypes: ["ReportBatchItemFailures"],
    });
  });

  test("no pass comes back while its function may still be at it", () => {
    const { VisibilityTimeout } = propertiesOf("Passes");
    expect(VisibilityTimeout).toBeGreaterThan(propertiesOf("Schedule")["Timeout"] as number);
  });

  test("a tick each minute, which nobody tries again", () => {
    expect(propertiesOf("EachMinute")).toMatchObject({
      ScheduleExpression: "rate(1 minute)",
      State: "ENABLED",
      Targets: [{ Id: "tick", Arn: arnOf("Tick") }],
    });
    expect(propertiesOf("TickOnce")).toMatchObject({ MaximumRetryAttempts: 0 });
  });

  test("every request goes to one function, bounded, and noted without its secrets", () => {
    expect(propertiesOf("HttpRoute")["RouteKey"]).toBe("$default");
    expect(propertiesOf("HttpIntegration")).toMatchObject({
      IntegrationType: "AWS_PROXY",
      PayloadFormatVersion: "2.0",
      IntegrationUri: arnOf("Http"),
    });
    const { DefaultRouteSettings, AccessLogSettings } = propertiesOf("HttpStage");
    expect(DefaultRouteSettings).toEqual({
      ThrottlingRateLimit: { Ref: "RequestsPerSecond" },
      ThrottlingBurstLimit: { Ref: "RequestBurst" },
    });
    const { Format } = AccessLogSettings as { Format: string };
    expect(JSON.parse(Format)).toMatchObject({ path: "$context.path", status: "$context.status" });
    expect(Format).not.toMatch(/header|query|cookie|authoriz/i);
  });

  test("LAVA's event stream: who comes and goes calls its function, what they say nothing", () => {
    expect(propertiesOf("EventsApi")["ProtocolType"]).toBe("WEBSOCKET");
    const of = (name: string) => ({ "Fn::Sub": `integrations/\${${name}}` });
    const routes = ["EventsConnect", "EventsDisconnect", "EventsDefault"].map((name) => {
      const { RouteKey, Target } = propertiesOf(name);
      return [RouteKey, Target];
    });
    expect(routes).toEqual([
      ["$connect", of("EventsIntegration")],
      ["$disconnect", of("EventsIntegration")],
      ["$default", of("EventsIgnored")],
    ]);
    expect(propertiesOf("EventsIntegration")["IntegrationType"]).toBe("AWS_PROXY");
    expect(propertiesOf("EventsIgnored")["IntegrationType"]).toBe("MOCK");
    // LAVA's path, and no log: the address may have a token.
    const { StageName, AccessLogSettings } = propertiesOf("EventsStage");
    expect([StageName, AccessLogSettings]).toEqual(["ws", undefined]);
  });

  test("what is new among the changes goes to the event stream, for some minutes", () => {
    const { FilterCriteria, ...mapping } = propertiesOf("TakeChanges");
    expect(mapping).toMatchObject({
      EventSourceArn: { "Fn::GetAtt": ["Table", "StreamArn"] },
      FunctionName: { Ref: "Events" },
      StartingPosition: "LATEST",
      MaximumRetryAttempts: 3,
      MaximumRecordAgeInSeconds: 300,
    });
    const { Filters } = FilterCriteria as { Filters: { Pattern: string }[] };
    expect(Filters.map(({ Pattern }) => JSON.parse(Pattern) as unknown)).toEqual([
      { eventName: ["INSERT"], dynamodb: { Keys: { p: { S: [{ prefix: "changes#" }] } } } },
    ]);
    expect(propertiesOf("Table")["StreamSpecification"]).toEqual({ StreamViewType: "NEW_IMAGE" });
  });

  test("logs are kept for as long as the parameter says, and all functions write to one", () => {
    for (const [, { Properties }] of ofType("AWS::Logs::LogGroup")) {
      expect(Properties["RetentionInDays"]).toEqual({ Ref: "LogDays" });
    }
    for (const [, { Properties }] of ofType("AWS::Lambda::Function")) {
      expect(Properties["LoggingConfig"]).toMatchObject({
        LogGroup: { Ref: "Log" },
        LogFormat: "JSON",
      });
    }
  });

  test.each(["Domain", "EventsDomain"])("%s is reached by TLS 1.2 at least", (name) => {
    expect(propertiesOf(name)["DomainNameConfigurations"]).toEqual([
      {
        CertificateArn: { Ref: "CertificateArn" },
        EndpointType: "REGIONAL",
        SecurityPolicy: "TLS_1_2",
      },
    ]);
  });
});
