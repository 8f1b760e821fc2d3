import { afterEach, beforeEach, expect, test } from "vitest";
import { browserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => void (lab = await embeddedLab()));
afterEach(() => lab.close());

const save = async (text: string) => {
  const browser = await browserSession(lab);
  const page = await (await browser.get("/admin/settings")).text();
  const version = /name="version" value="(\d+)"/.exec(page)![1]!;
  const answer = await browser.post("/admin/settings", { section: "reservations", version, text });
  return { status: answer.status, html: await answer.text() };
};

test("a refused section says what is wrong at which line, each mistake, and keeps the text", async () => {
  const { status, html } = await save(
    '# kept <script>\r\nlongest_hours: "a"\r\nunknown_word: 1\r\n',
  );
  expect(status).toBe(400);
  expect(html).toContain("Line 2, column 1");
  expect(html).toContain("Line 3, column 1");
  expect(html).toContain("unknown key &quot;unknown_word&quot;");
  expect(html).toContain("<mark>unknown_word: 1</mark>");
  expect(html).toContain("# kept &lt;script&gt;");
  expect(html).toContain('href="#reservations-text"');
  expect((await save("a: [\n")).html).toMatch(/Line \d+, column \d+/);
});
