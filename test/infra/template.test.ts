import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  CODE_TEMPLATE,
  LAB_TEMPLATE,
  parseTemplate,
  withoutComments,
} from "../../infra/read-template.ts";
import { code, lab, namesIn, nodesOf, type Fields } from "../support/infra/template-parts.ts";

const BOTH = [
  ["template.yaml", lab.template],
  ["code-bucket.yaml", code.template],
] as const;

const PSEUDO = ["AccountId", "NoValue", "Partition", "Region", "StackName", "URLSuffix"];

/** What CloudFormation gives no tags to. */
const UNTAGGED = new Set([
  "AWS::ApiGatewayV2::ApiMapping",
  "AWS::ApiGatewayV2::Integration",
  "AWS::ApiGatewayV2::Route",
  "AWS::CloudWatch::Dashboard",
  "AWS::Lambda::EventInvokeConfig",
  "AWS::Lambda::Permission",
  "AWS::Logs::MetricFilter",
  "AWS::Route53::RecordSet",
  "AWS::S3::BucketPolicy",
  "AWS::SNS::Subscription",
  "AWS::SNS::TopicPolicy",
  "AWS::SQS::QueuePolicy",
]);

describe("the text", () => {
  test("all that can have tags has the lab's", () => {
    const lab_ = { Ref: "AWS::StackName" };
    const stage = { Ref: "Stage" };
    for (const [name, { Type, Properties }] of Object.entries(lab.template.Resources)) {
      if (UNTAGGED.has(Type)) continue;
      const tags = Properties["Tags"] ?? Properties["ResourceTags"];
      const expected = Array.isArray(tags)
        ? [
            { Key: "pumice:lab", Value: lab_ },
            { Key: "pumice:stage", Value: stage },
          ]
        : { "pumice:lab": lab_, "pumice:stage": stage };
      expect(tags, name).toEqual(expected);
    }
  });

  test.each(BOTH)("every name in %s is that of a parameter or a resource", (_, template) => {
    const known = new Set([
      ...Object.keys(template.Parameters ?? {}),
      ...Object.keys(template.Resources),
      ...PSEUDO.map((name) => `AWS::${name}`),
    ]);
    const unknown = namesIn([template.Resources, template.Outputs, template.Rules]).filter(
      (name) => !known.has(name),
    );
    expect(unknown).toEqual([]);
  });

  test("every parameter is described, used, and asked for in a group", () => {
    const { Parameters, ...rest } = lab.template;
    const used = new Set(namesIn(rest));
    const unused = Object.keys(Parameters).filter((name) => !used.has(name));
    expect(unused).toEqual([]);
    const undescribed = Object.entries(Parameters).filter(
      ([, parameter]) => !parameter["Description"],
    );
    expect(undescribed).toEqual([]);
    const { Metadata } = lab.template as unknown as { Metadata: Fields };
    const { ParameterGroups } = Metadata["AWS::CloudFormation::Interface"] as {
      ParameterGroups: { Parameters: string[] }[];
    };
    const grouped = ParameterGroups.flatMap((group) => group.Parameters);
    expect(grouped.toSorted()).toEqual(Object.keys(Parameters).toSorted());
  });

  test("every condition is there and used", () => {
    const { Conditions = {}, Resources, Outputs } = lab.template;
    const used = [...nodesOf([Conditions, Resources, Outputs])].flatMap((node) => {
      const condition = node["Condition"];
      const choice = node["Fn::If"];
      return [condition, Array.isArray(choice) ? choice[0] : undefined].filter(
        (name): name is string => typeof name === "string",
      );
    });
    expect(new Set(used)).toEqual(new Set(Object.keys(Conditions)));
  });

  test("only code is without a default: what else there is can be left as it is", () => {
    const needed = Object.entries(lab.template.Parameters).filter(
      ([, { Default }]) => Default === undefined,
    );
    expect(needed.map(([name]) => name)).toEqual(["CodeBucket", "CodeKey"]);
  });

  test("says where the lab is and what it is made of", () => {
    expect(Object.keys(lab.template.Outputs)).toEqual([
      "Url",
      "DomainTarget",
      "EventsUrl",
      "EventsTarget",
      "TableName",
      "BucketName",
      "PassesQueueUrl",
      "QueuePrefix",
      "LogGroup",
      "AlarmTopic",
      "DashboardUrl",
      "Release",
    ]);
  });

  test("fits into a request, for those who deploy it without a bucket", () => {
    expect(Buffer.byteLength(withoutComments(lab.text))).toBeLessThan(51_200);
    expect(parseTemplate(withoutComments(lab.text))).toEqual(lab.template);
  });

  test("cfn-lint has nothing against it", ({ skip }) => {
    const files = [LAB_TEMPLATE, CODE_TEMPLATE].map((file) => fileURLToPath(file));
    const lint = spawnSync("cfn-lint", files, { encoding: "utf8" });
    if (lint.error) {
      console.log("cfn-lint is not on this machine: the templates are not linted");
      skip("cfn-lint is not on this machine");
    }
    expect(lint.stdout + lint.stderr).toBe("");
  });
});
