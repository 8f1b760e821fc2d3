import {
  CODE_TEMPLATE,
  LAB_TEMPLATE,
  readTemplate,
  type Resource,
  type Template,
} from "../../../infra/read-template.ts";

export const lab = readTemplate(LAB_TEMPLATE);
export const code = readTemplate(CODE_TEMPLATE);

export type Fields = Record<string, unknown>;

export function propertiesOf(name: string, template: Template = lab.template): Fields {
  const resource = template.Resources[name];
  if (!resource) throw new Error(`no resource ${name}`);
  return resource.Properties;
}

export const ofType = (type: string, template: Template = lab.template): [string, Resource][] =>
  Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);

/** Every object and array below a value, itself too. */
export function* nodesOf(value: unknown): Generator<Fields> {
  if (typeof value !== "object" || value === null) return;
  yield value as Fields;
  for (const part of Object.values(value)) yield* nodesOf(part);
}

/** Names that Ref, GetAtt and Sub below a value use. */
export function namesIn(value: unknown): string[] {
  return [...nodesOf(value)].flatMap((node) => {
    if (typeof node["Ref"] === "string") return [node["Ref"]];
    const attribute = node["Fn::GetAtt"];
    if (Array.isArray(attribute)) return [String(attribute[0])];
    const text = node["Fn::Sub"];
    if (typeof text !== "string") return [];
    return [...text.matchAll(/\$\{([^}!]+)\}/g)].map(([, name = ""]) =>
      name.startsWith("AWS::") ? name : name.replace(/\..*/, ""),
    );
  });
}

/** As `!GetAtt NAME.Arn` is read. */
export const arnOf = (name: string) => ({ "Fn::GetAtt": [name, "Arn"] });

/** The condition of a statement that denies. */
export const BY_TLS_ONLY = { Bool: { "aws:SecureTransport": "false" } };
