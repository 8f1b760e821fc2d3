import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RolloutView } from "#protocol/release-api.ts";
import { addRelease, aRelease, aSigner } from "../support/a-release.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { hookReceiver, type HookReceiver } from "../support/hook-receiver.ts";
import { listeningLab } from "../support/listening-lab.ts";

const VERSION = { version: "1.0.0", platform: "linux-x64" };

describe.skipIf(!hasChromium())("what an administrator does by the pages, to its end", () => {
  let browser: Browser;
  let lab: Awaited<ReturnType<typeof listeningLab>>;
  let receiver: HookReceiver;
  let page: Page;
  const errors: string[] = [];
  beforeAll(async () => void (browser = await launchChromium()));
  afterAll(() => browser?.close());
  beforeEach(async () => {
    receiver = await hookReceiver();
    lab = await listeningLab();
  });
  afterEach(async () => {
    await page.context().close();
    await lab.close();
    await receiver.close();
    if (errors.length > 0) throw new Error(`in the browser: ${errors.splice(0).join("; ")}`);
  });

  test("a roll-out begins with one worker, goes on to all and is stopped; a worker is pinned and freed", async () => {
    for (const name of ["rack-a", "rack-b"]) await lab.sync(await lab.addWorker(name), [], VERSION);
    const signer = aSigner();
    await addRelease(lab, signer, aRelease(signer, "2.0.0"));
    page = await signedInPage(browser, lab, lab.url, errors);
    await page.goto(`${lab.url}/admin/releases`);
    await page.getByLabel("First worker").fill("rack-b");
    await page.getByRole("button", { name: "Begin" }).click();
    await page.getByRole("heading", { name: "Version 2.0.0 for one worker" }).waitFor();
    const first = page.getByRole("row", { name: /rack-b/ });
    await first.getByText("is offered it").waitFor();
    await page.getByRole("button", { name: "Go on to a tenth of the workers" }).click();
    await page.getByRole("button", { name: "Go on to all workers" }).click();
    await page.getByRole("heading", { name: "Version 2.0.0 for all workers" }).waitFor();

    const pin = page.locator("form", { has: page.getByRole("button", { name: "Pin" }) });
    await pin.getByLabel("Worker").fill("rack-a");
    await pin.getByLabel("Version").fill("1.0.0");
    await pin.getByRole("button", { name: "Pin" }).click();
    await page.getByRole("button", { name: "Unpin rack-a" }).click();
    await page.getByRole("button", { name: "Unpin rack-a" }).waitFor({ state: "detached" });

    await page.getByText("Stop it").click();
    await page.getByRole("button", { name: "Stop the roll-out" }).click();
    await page.getByText("stopped", { exact: true }).waitFor();
    const { rollout } = await lab.api<{ rollout: RolloutView }>("/rollout");
    expect([rollout.active, rollout.stage]).toEqual([false, "all"]);
  });

  test("what a webhook was sent is listed, and sent again", async () => {
    const notices = { private_hosts: ["127.0.0.1"], url: lab.url };
    await lab.api("/settings", { method: "PUT", body: { settings: { notices } } });
    await lab.addWorker();
    page = await signedInPage(browser, lab, lab.url, errors);
    await page.goto(`${lab.url}/admin/notices`);
    await page.getByText("Add a webhook").click();
    await page.getByLabel("Address").fill(`${receiver.url}/hook`);
    await page.getByRole("checkbox", { name: "job.submitted" }).check();
    await page.getByRole("button", { name: "Add the webhook" }).click();
    await page.locator("#made").waitFor();
    await lab.addDevice("qemu-01");
    await lab.submit();
    await expect.poll(() => receiver.received.length).toBe(1);
    await page.goto(`${lab.url}/admin/notices`);
    const row = page.getByRole("row", { name: /job\.submitted/ });
    await row.getByText("sent", { exact: true }).waitFor();
    await row.getByText("Send again").click();
    await row.getByRole("button", { name: "Send it once more" }).click();
    await expect.poll(() => receiver.received.length).toBe(2);
    const [before, after] = receiver.received.map(({ body }) => JSON.parse(body));
    expect(after).toEqual(before);
  });
});
