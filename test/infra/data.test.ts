import { describe, expect, test } from "vitest";
import type { Resource } from "../../infra/read-template.ts";
import {
  arnOf,
  BY_TLS_ONLY,
  code,
  lab,
  namesIn,
  ofType,
  propertiesOf,
} from "../support/infra/template-parts.ts";

const BOTH = [
  ["template.yaml", lab.template],
  ["code-bucket.yaml", code.template],
] as const;

describe("data", () => {
  test("stays when the stack or a replacement would delete it", () => {
    const data = ["AWS::DynamoDB::Table", "AWS::S3::Bucket"].flatMap((type) => ofType(type));
    expect(data.map(([name]) => name)).toEqual(["Table", "Blobs"]);
    for (const [, resource] of data) {
      expect(resource).toMatchObject({ DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" });
    }
    expect(propertiesOf("Table")).toMatchObject({
      DeletionProtectionEnabled: true,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
    expect(propertiesOf("Blobs")).toMatchObject({ VersioningConfiguration: { Status: "Enabled" } });
  });

  test("is named after the stack, so that a stack made again finds it", () => {
    expect(propertiesOf("Table")["TableName"]).toEqual({ Ref: "AWS::StackName" });
    expect(propertiesOf("Blobs")["BucketName"]).toEqual({
      "Fn::Sub": "${AWS::StackName}-${AWS::AccountId}-${AWS::Region}",
    });
  });

  test("the table has the keys that the engine uses, and is paid by use", () => {
    const table = propertiesOf("Table");
    const schema = (partition: string, sort: string) => [
      { AttributeName: partition, KeyType: "HASH" },
      { AttributeName: sort, KeyType: "RANGE" },
    ];
    expect(table).toMatchObject({
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: schema("p", "s"),
      TimeToLiveSpecification: { AttributeName: "ttl", Enabled: true },
    });
    expect(table["GlobalSecondaryIndexes"]).toEqual(
      [1, 2, 3, 4].map((n) => ({
        IndexName: `by-i${n}`,
        KeySchema: schema(`i${n}p`, `i${n}s`),
        Projection: { ProjectionType: "KEYS_ONLY" },
      })),
    );
  });

  test.each(BOTH)(
    "buckets of %s are encrypted, closed to the public, read over TLS",
    (_, template) => {
      const buckets = ofType("AWS::S3::Bucket", template);
      expect(buckets).toHaveLength(1);
      const [[name, { Properties }]] = buckets as [[string, Resource]];
      expect(Properties).toMatchObject({
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            { ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } },
          ],
        },
      });
      const policies = ofType("AWS::S3::BucketPolicy", template);
      expect(policies.map(([, policy]) => policy.Properties)).toEqual([
        {
          Bucket: { Ref: name },
          PolicyDocument: {
            Version: "2012-10-17",
            Statement: [
              {
                Sid: "OnlyTls",
                Effect: "Deny",
                Principal: "*",
                Action: "s3:*",
                Resource: [arnOf(name), { "Fn::Sub": `\${${name}.Arn}/*` }],
                Condition: BY_TLS_ONLY,
              },
            ],
          },
        },
      ]);
    },
  );

  test("table and queues are encrypted, and the queues are used over TLS only", () => {
    expect(propertiesOf("Table")["SSESpecification"]).toEqual({ SSEEnabled: true });
    const queues = ofType("AWS::SQS::Queue").map(([name]) => name);
    expect(queues).toEqual(["Passes", "DeadPasses"]);
    for (const name of queues) expect(propertiesOf(name)["SqsManagedSseEnabled"]).toBe(true);
    const policies = ofType("AWS::SQS::QueuePolicy").map(([, policy]) => policy.Properties);
    expect(policies).toEqual(
      queues.map((name) => ({
        Queues: [{ Ref: name }],
        PolicyDocument: {
          Version: "2012-10-17",
          Statement: [
            {
              Sid: "OnlyTls",
              Effect: "Deny",
              Principal: "*",
              Action: "sqs:*",
              Resource: arnOf(name),
              Condition: BY_TLS_ONLY,
            },
          ],
        },
      })),
    );
  });

  test("blobs outlive their jobs by the longest job, and no longer than a week more", () => {
    const { AllowedValues } = lab.template.Parameters["RetentionDays"] as {
      AllowedValues: string[];
    };
    const days = Object.entries(lab.template.Mappings?.["BlobDays"] ?? {});
    expect(days.map(([kept]) => kept)).toEqual(AllowedValues);
    for (const [kept, { Days }] of days) {
      if (kept !== "0") expect(Days).toBe(Number(kept) + 8);
    }
    expect(propertiesOf("Blobs")["LifecycleConfiguration"]).toEqual({
      Rules: [
        {
          Id: "jobs",
          Status: { "Fn::If": ["KeepsForEver", "Disabled", "Enabled"] },
          Prefix: "jobs/",
          ExpirationInDays: { "Fn::FindInMap": ["BlobDays", { Ref: "RetentionDays" }, "Days"] },
        },
        {
          Id: "leftovers",
          Status: "Enabled",
          ExpiredObjectDeleteMarker: true,
          NoncurrentVersionExpiration: { NoncurrentDays: 7 },
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
        },
      ],
    });
  });

  test("only the lab's own pages read blobs from a browser, and only read", () => {
    expect(propertiesOf("Blobs")["CorsConfiguration"]).toEqual({
      CorsRules: [
        {
          AllowedMethods: ["GET"],
          AllowedOrigins: [
            { "Fn::Sub": "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}" },
            {
              "Fn::If": [
                "HasDomain",
                { "Fn::Sub": "https://${DomainName}" },
                { Ref: "AWS::NoValue" },
              ],
            },
          ],
          MaxAge: 3600,
        },
      ],
    });
  });

  test("the first administrator's token never comes here, and its hash is not shown", () => {
    expect(lab.template.Parameters["FirstAdmin"]).toMatchObject({ NoEcho: true, Default: "" });
    const users = Object.entries(lab.template.Resources).filter(([, resource]) =>
      namesIn(resource).includes("FirstAdmin"),
    );
    expect(users.map(([name]) => name)).toEqual(["Http"]);
  });
});
