import * as v from "valibot";
import { expect, test } from "vitest";
import { LAB_SECTIONS, labSchema, type Lab } from "#protocol/lab.ts";
import { planLab } from "../../control-plane/domain/plan-lab.ts";
import type { WholeLab } from "../../control-plane/domain/read-lab.ts";
import { fc } from "../support/property.ts";

/** Few names, so that labs meet; some are names that every object of JavaScript knows. */
const name = fc.constantFrom("a", "b", "constructor", "toString", "7");
const type = fc.constantFrom("a", "b", "known", "none");
const text = fc.constantFrom("", "one", "two");
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const section = <T>(value: fc.Arbitrary<T>) =>
  some(fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true }));
const files = fc
  .dictionary(fc.constantFrom("a.jinja2", "b.jinja2"), text, { noNullPrototype: true })
  .map((found) => ({ ...found }));

const aLab: fc.Arbitrary<Lab> = fc
  .record({
    templates: some(files),
    health_checks: section(text),
    device_types: section(fc.record({ description: text })),
    aliases: section(type),
    tags: section(fc.record({ description: text })),
    groups: section(fc.record({ members: fc.array(fc.constantFrom("x", "y")) })),
    workers: section(fc.record({ env: text, health: some(fc.constantFrom("Active", "Retired")) })),
    devices: section(
      fc.record({
        device_type: type,
        worker: name,
        tags: fc.array(fc.constantFrom("x", "y")),
        health: some(fc.constantFrom("Good", "Bad")),
        dictionary: text,
      }),
    ),
  })
  .map((lab) => v.parse(labSchema, withoutUndefined(lab)));

const withoutUndefined = (value: object): object =>
  JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
const hasTemplate = (file: string) => file === "known.jinja2";
const nothing = Object.fromEntries(LAB_SECTIONS.map((one) => [one, {}])) as unknown as WholeLab;
const labOf = (lab: Lab) => planLab(nothing, { lab, prune: true }, hasTemplate).after;

test("what a plan leads to needs no further plan", () => {
  fc.assert(
    fc.property(aLab, aLab, fc.boolean(), (old, lab, prune) => {
      const { after } = planLab(labOf(old), { lab, prune }, hasTemplate);
      expect(planLab(after, { lab, prune }, hasTemplate).changes).toEqual([]);
      expect(planLab(after, { lab: after, prune: true }, hasTemplate).changes).toEqual([]);
    }),
  );
});

test("a plan names what it makes, changes and removes, each once", () => {
  fc.assert(
    fc.property(aLab, aLab, fc.boolean(), (old, lab, prune) => {
      const current = labOf(old);
      const { changes, after } = planLab(current, { lab, prune }, hasTemplate);
      const places = changes.map((change) => `${change.section}/${change.name}`);
      expect(new Set(places).size).toBe(places.length);
      for (const { action, section: where, name: what } of changes) {
        const [was, is] = [Object.hasOwn(current[where], what), Object.hasOwn(after[where], what)];
        expect([was, is]).toEqual([action !== "create", action !== "remove"]);
        if (action === "remove") expect(prune && lab[where] !== undefined).toBe(true);
      }
    }),
  );
});
