import { readFileSync } from "node:fs";
import { parse, type CollectionTag, type ScalarTag } from "yaml";

/** What we read of a CloudFormation template: short forms (`!Ref x`) as the long ones (`{ Ref: "x" }`). */
export interface Template {
  readonly Parameters: Record<string, Record<string, unknown>>;
  readonly Rules?: Record<string, unknown>;
  readonly Conditions?: Record<string, unknown>;
  readonly Mappings?: Record<string, Record<string, Record<string, unknown>>>;
  readonly Resources: Record<string, Resource>;
  readonly Outputs: Record<string, Record<string, unknown>>;
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
  readonly Condition?: string;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

/** The template beside this file: the lab. */
export const LAB_TEMPLATE = new URL("template.yaml", import.meta.url);
/** And the one of the bucket that code is deployed from. */
export const CODE_TEMPLATE = new URL("code-bucket.yaml", import.meta.url);

const SCALARS = ["Ref", "Condition", "Sub", "GetAtt"];
const LISTS = ["If", "Not", "And", "Or", "Equals", "FindInMap", "Join", "Select", "Sub"];

const longName = (name: string): string =>
  name === "Ref" || name === "Condition" ? name : `Fn::${name}`;

const scalarTags: ScalarTag[] = SCALARS.map((name) => ({
  tag: `!${name}`,
  resolve: (text: string) => ({
    [longName(name)]: name === "GetAtt" ? text.split(/\.(.*)/s).slice(0, 2) : text,
  }),
}));

const listTags: CollectionTag[] = LISTS.map((name) => ({
  tag: `!${name}`,
  collection: "seq",
  resolve: (list) => ({ [longName(name)]: list.toJSON() as unknown }) as never,
}));

/** Throws with line and column when it is no YAML. */
export function parseTemplate(text: string): Template {
  return parse(text, { customTags: [...scalarTags, ...listTags] }) as Template;
}

/** What AWS needs of a template's text: CloudFormation takes 51,200 bytes in a request. */
export const withoutComments = (text: string): string => text.replaceAll(/^ *(#.*)?\n/gm, "");

export const readTemplate = (file: URL): { text: string; template: Template } => {
  const text = readFileSync(file, "utf8");
  return { text, template: parseTemplate(text) };
};
