import { expect, test } from "vitest";
import { checkJob } from "#protocol/check-job.ts";
import { jobTemplates } from "../../control-plane/ui/job-templates.ts";

// That they run on real devices is what the tests of docs/examples and docs/methods show.
test("every template of the submit page is a job that is let in", async () => {
  const templates = await jobTemplates();
  expect(templates.length).toBeGreaterThanOrEqual(8);
  expect(new Set(templates.map(({ name }) => name)).size).toBe(templates.length);
  for (const { name, title, about, text } of templates) {
    const { definition, problems, warnings } = checkJob(text);
    expect({ name, problems, warnings }).toEqual({ name, problems: [], warnings: [] });
    expect(definition?.job_name).toBeTruthy();
    expect([title, about].every((line) => line.length > 0 && !line.includes("\n"))).toBe(true);
    expect(text).not.toContain("@GUEST@");
    if (name === "qemu-smoke") expect(text).toContain("# Put the addresses of your own files");
  }
});
