import { describe, expect, test } from "vitest";
import {
  arnOf,
  BY_TLS_ONLY,
  lab,
  nodesOf,
  ofType,
  propertiesOf,
} from "../support/infra/template-parts.ts";

const WORKERS_QUEUES = {
  "Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-w-*",
};
const indexes = (...numbers: number[]) =>
  numbers.map((n) => ({ "Fn::Sub": `\${Table.Arn}/index/by-i${n}` }));
const allow = (Sid: string, Action: string[], Resource: unknown) => ({
  Sid,
  Effect: "Allow",
  Action,
  Resource,
});
const LOG = allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], arnOf("Log"));
const lists = (resources: unknown[]) => allow("Lists", ["dynamodb:Query"], resources);
const READ_PUT_DELETE = allow(
  "Table",
  ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"],
  arnOf("Table"),
);

const JOBS = { "Fn::Sub": "${Blobs.Arn}/jobs/*" };
const JOB_BLOCKS = { "Fn::Sub": "${Blobs.Arn}/job-blocks/*" };
const STREAM = { "Fn::Sub": "${Table.Arn}/stream/*" };
const CONNECTIONS = {
  "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${EventsApi}/ws/*",
};
const ARCHIVE = { "Fn::Sub": "${Blobs.Arn}/archive/*" };

function statementsOf(role: string): unknown[] {
  const { Policies, ManagedPolicyArns } = propertiesOf(role);
  expect(ManagedPolicyArns).toBeUndefined();
  const policies = Policies as { PolicyDocument: { Statement: unknown[] } }[];
  return policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
}

describe("what each function may do", () => {
  test("http: the table, blobs of jobs, workers' queues, asking for passes", () => {
    expect(statementsOf("HttpRole")).toEqual([
      LOG,
      allow(
        "Table",
        [
          "dynamodb:BatchGetItem",
          "dynamodb:ConditionCheckItem",
          "dynamodb:DeleteItem",
          "dynamodb:GetItem",
          "dynamodb:PutItem",
          "dynamodb:UpdateItem",
        ],
        arnOf("Table"),
      ),
      lists([arnOf("Table"), ...indexes(1, 2, 3, 4)]),
      allow("Backup", ["dynamodb:Scan"], arnOf("Table")),
      allow("Blobs", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], [JOBS, JOB_BLOCKS]),
      allow("Archive", ["s3:PutObject"], ARCHIVE),
      allow("Releases", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], {
        "Fn::Sub": "${Blobs.Arn}/releases/*",
      }),
      allow("DevicePhotos", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], {
        "Fn::Sub": "${Blobs.Arn}/device-photos/*",
      }),
      allow("KnowAbsentBlobs", ["s3:ListBucket"], arnOf("Blobs")),
      allow("AskForPasses", ["sqs:SendMessage"], arnOf("Passes")),
      allow(
        "WorkersQueues",
        [
          "sqs:CreateQueue",
          "sqs:DeleteQueue",
          "sqs:ReceiveMessage",
          "sqs:SendMessage",
          "sqs:TagQueue",
        ],
        WORKERS_QUEUES,
      ),
      {
        Sid: "OnlyTls",
        Effect: "Deny",
        Action: ["sqs:ReceiveMessage", "sqs:SendMessage"],
        Resource: WORKERS_QUEUES,
        Condition: BY_TLS_ONLY,
      },
    ]);
  });

  test("schedule: reads, puts and deletes, takes passes, makes health checks, rings workers, reads blobs of jobs for notices", () => {
    expect(statementsOf("ScheduleRole")).toEqual([
      LOG,
      READ_PUT_DELETE,
      lists([arnOf("Table"), ...indexes(1, 2, 3, 4)]),
      {
        ...allow("NumberJobs", ["dynamodb:UpdateItem"], arnOf("Table")),
        Condition: { "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["counter#job"] } },
      },
      allow("Blobs", ["s3:GetObject", "s3:PutObject"], { "Fn::Sub": "${Blobs.Arn}/jobs/*" }),
      allow("KnowAbsentBlobs", ["s3:ListBucket"], arnOf("Blobs")),
      allow(
        "TakePasses",
        ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
        arnOf("Passes"),
      ),
      allow("RingWorkersAndAskForPasses", ["sqs:SendMessage"], [arnOf("Passes"), WORKERS_QUEUES]),
    ]);
  });

  test("tick: reads, puts and deletes, removes and archives blobs of old jobs, rings workers, asks for passes", () => {
    expect(statementsOf("TickRole")).toEqual([
      LOG,
      READ_PUT_DELETE,
      lists([arnOf("Table"), ...indexes(1, 2, 3)]),
      allow("Blobs", ["s3:DeleteObject", "s3:GetObject"], JOBS),
      allow("JobBlocks", ["s3:DeleteObject", "s3:PutObject"], JOB_BLOCKS),
      allow("Archive", ["s3:PutObject"], ARCHIVE),
      allow("KnowAbsentBlobs", ["s3:ListBucket"], arnOf("Blobs")),
      allow("RingWorkersAndAskForPasses", ["sqs:SendMessage"], [arnOf("Passes"), WORKERS_QUEUES]),
    ]);
  });

  test("events: reads, notes who listens, takes changes, speaks to the connections of its own API", () => {
    expect(statementsOf("EventsRole")).toEqual([
      LOG,
      allow("Table", ["dynamodb:BatchGetItem", "dynamodb:GetItem"], arnOf("Table")),
      lists([arnOf("Table"), ...indexes(1)]),
      {
        ...allow(
          "Listeners",
          ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
          arnOf("Table"),
        ),
        Condition: {
          "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["listeners", "token#*"] },
        },
      },
      allow(
        "TakeChanges",
        [
          "dynamodb:DescribeStream",
          "dynamodb:GetRecords",
          "dynamodb:GetShardIterator",
          "dynamodb:ListStreams",
        ],
        STREAM,
      ),
      allow("Connections", ["execute-api:ManageConnections"], CONNECTIONS),
    ]);
  });

  test("nothing is allowed by a wildcard but objects of jobs, this lab's queues of workers, its stream and its connections", () => {
    const allowed = [...nodesOf(lab.template.Resources)].filter(
      (node) => node["Effect"] === "Allow",
    );
    const wild = allowed.flatMap(({ Action, Resource }) =>
      [...nodesOf({ Action: [Action].flat(), Resource: [Resource].flat() })]
        .flatMap((node) => Object.values(node))
        .filter((text): text is string => typeof text === "string" && text.includes("*")),
    );
    expect(new Set(wild)).toEqual(
      new Set([
        ...[JOBS["Fn::Sub"], JOB_BLOCKS["Fn::Sub"], ARCHIVE["Fn::Sub"]],
        "${Blobs.Arn}/releases/*",
        "${Blobs.Arn}/device-photos/*",
        WORKERS_QUEUES["Fn::Sub"],
        STREAM["Fn::Sub"],
        CONNECTIONS["Fn::Sub"],
      ]),
    );
  });

  test("each function has its own role, and only Lambda may take it", () => {
    const roles = ofType("AWS::Lambda::Function").map(([, { Properties }]) => Properties["Role"]);
    expect(roles).toEqual(["HttpRole", "ScheduleRole", "TickRole", "EventsRole"].map(arnOf));
    for (const [, { Properties }] of ofType("AWS::IAM::Role")) {
      expect(Properties["AssumeRolePolicyDocument"]).toEqual({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: { Service: "lambda.amazonaws.com" },
            Action: "sts:AssumeRole",
          },
        ],
      });
    }
  });

  test("functions are called by these APIs and this rule only", () => {
    expect(propertiesOf("EventsApiMayCall")).toEqual({
      Action: "lambda:InvokeFunction",
      FunctionName: { Ref: "Events" },
      Principal: "apigateway.amazonaws.com",
      SourceArn: {
        "Fn::Sub":
          "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${EventsApi}/*/*",
      },
    });
    expect(propertiesOf("HttpApiMayCall")).toEqual({
      Action: "lambda:InvokeFunction",
      FunctionName: { Ref: "Http" },
      Principal: "apigateway.amazonaws.com",
      SourceArn: {
        "Fn::Sub":
          "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${HttpApi}/*/*",
      },
    });
    expect(propertiesOf("EachMinuteMayTick")).toEqual({
      Action: "lambda:InvokeFunction",
      FunctionName: { Ref: "Tick" },
      Principal: "events.amazonaws.com",
      SourceArn: arnOf("EachMinute"),
    });
    expect(ofType("AWS::Lambda::Permission")).toHaveLength(3);
    expect(ofType("AWS::Lambda::Url")).toEqual([]);
  });
});
