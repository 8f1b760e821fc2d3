import { expect, test } from "vitest";
import { definitionBlob } from "../../../control-plane/domain/blob-names.ts";
import { jobMetadata } from "../../../control-plane/domain/results/job-metadata.ts";
import { embeddedLab } from "../../support/embedded-lab.ts";

test("attributes are those of the definition, however often and by whomever they are read", async () => {
  const lab = await embeddedLab();
  const { deps } = lab;
  try {
    const put = (id: number, text: string) =>
      deps.blobs.put(definitionBlob(id), new TextEncoder().encode(text));
    for (let id = 1; id <= 30; id++) await put(id, `metadata: {build: ${id}, list: [a, 1]}\n`);
    await put(31, "metadata: {build: 1, list: [a, 1]}\n");
    for (const round of [1, 2]) {
      for (let id = 1; id <= 30; id++) {
        const found = await jobMetadata(deps, id);
        expect([round, id, found]).toEqual([round, id, { build: `${id}`, list: '["a",1]' }]);
        found["build"] = "changed by a caller";
      }
    }
    expect(await jobMetadata(deps, 31)).toEqual({ build: "1", list: '["a",1]' });
    await put(31, "metadata: {build: 32}\n");
    expect(await jobMetadata(deps, 31)).toEqual({ build: "32" });
    expect(await jobMetadata(deps, 99)).toEqual({});
  } finally {
    await lab.close();
  }
});
