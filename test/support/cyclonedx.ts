import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";

/** CycloneDX's own schemas, as its library has them; the library's validator wants three more packages. */
const library = fileURLToPath(import.meta.resolve("@cyclonedx/cyclonedx-library/package.json"));
const schemas = path.join(path.dirname(library), "res/schema");
const schema = (name: string): object =>
  JSON.parse(readFileSync(path.join(schemas, name), "utf8")) as object;

let compiled: ValidateFunction | undefined;
function validator(): ValidateFunction {
  // Of internationalised addresses we have none.
  const formats = { "iri-reference": true, "idn-email": true } as const;
  const ajv = new Ajv({ strict: false, allErrors: true, formats });
  addFormats.default(ajv, ["date-time", "uri"]);
  for (const name of ["spdx", "jsf-0.82"]) {
    const file = `${name}.SNAPSHOT.schema.json`;
    ajv.addSchema(schema(file), `http://cyclonedx.org/schema/${file}`);
  }
  return ajv.compile(schema("bom-1.6.SNAPSHOT.schema.json"));
}

/** What is wrong with a bill of materials by CycloneDX 1.6, references to what is not in it too; empty when it is well. */
export function faultsOfBill(bill: unknown): string[] {
  compiled ??= validator();
  if (compiled(bill)) return danglingReferences(bill as Bill);
  return (compiled.errors ?? []).map((one) => `${one.instancePath}: ${one.message}`);
}

interface Bill {
  readonly metadata: { readonly component: { readonly "bom-ref": string } };
  readonly components: readonly { readonly "bom-ref": string }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** The schema can't say this. */
function danglingReferences({ metadata, components, dependencies }: Bill): string[] {
  const refs = [metadata.component, ...components].map((one) => one["bom-ref"]);
  const known = new Set(refs);
  const twice = refs.filter((ref, n) => refs.indexOf(ref) !== n);
  const used = dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]);
  return [
    ...twice.map((ref) => `${ref} is there twice`),
    ...used.filter((ref) => !known.has(ref)).map((ref) => `${ref} is no component`),
  ];
}
