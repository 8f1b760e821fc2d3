import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { hasChromium, launchChromium } from "../support/chromium.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { oidcProvider, type TestProvider } from "../support/oidc-provider.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let provider: TestProvider;
let browser: Browser;
const isThere = hasChromium();

beforeAll(async () => {
  if (!isThere) return;
  lab = await listeningLab();
  lab.pass((Date.now() - lab.deps.system.now()) / 1000);
  provider = await oidcProvider(`${lab.url}/sign-in/oidc/keycloak/callback`);
  provider.accounts.set("sub-carol", { preferred_username: "carol" });
  const oidc = [
    { name: "keycloak", label: "Keycloak", issuer: provider.issuer, client_id: provider.clientId },
  ];
  await lab.api("/settings", { method: "PUT", body: { settings: { sign_in: { oidc } } } });
  const body = { value: provider.secret };
  await lab.request("/sign-in-secrets/keycloak", { method: "PUT", body });
  await lab.addUser("alice");
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await lab?.close();
  await provider?.close();
});

/** A page of a new browser window; what its policy forbids or its scripts throw is gathered. */
async function newPage(): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext();
  // The provider's own pages want fonts of the web.
  await context.route(/^https:/, (route) => route.abort());
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) errors.push(message.text());
  });
  return { page, errors };
}

test.runIf(isThere)(
  "a person chooses a password by a link, signs out, and signs in with it",
  async () => {
    const { page, errors } = await newPage();
    const { url } = await lab.api<{ url: string }>("/users/alice/password-links", {
      method: "POST",
    });
    await page.goto(new URL(new URL(url).pathname + new URL(url).search, lab.url).href);
    await page.getByLabel("New password").fill("a few words here");
    await page.getByLabel("The same again").fill("a few words here");
    await page.getByRole("button", { name: "Set the password" }).click();
    await page.getByRole("link", { name: "alice" }).click();
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("Your account");
    expect(await page.getByText("this one").count()).toBe(1);
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByLabel("Name").fill("alice");
    await page.getByLabel("Password").fill("a few words here");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("link", { name: "alice" }).waitFor();
    expect(errors).toEqual([]);
  },
);

test.runIf(isThere)(
  "a person comes back from a provider signed in, and may link another one's account",
  async () => {
    const { page, errors } = await newPage();
    await page.goto(`${lab.url}/devices`);
    await page.getByRole("link", { name: "Sign in with Keycloak" }).click();
    await page.locator("input[name=login]").fill("sub-carol");
    await page.locator("input[name=password]").fill("any");
    await page.locator("button[type=submit]").click();
    await page.locator("button[type=submit]").click();
    await page.waitForURL(`${lab.url}/devices`);
    await page.getByRole("link", { name: "carol" }).click();
    expect(await page.getByText("Keycloak: linked").count()).toBe(1);
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByRole("link", { name: "Sign out of Keycloak, too" }).click();
    expect(page.url()).toContain(`${provider.issuer}/session/end`);
    expect(errors).toEqual([]);
  },
);

test.runIf(isThere)(
  "an account is linked in two steps, which the pages' policy allows",
  async () => {
    const { page, errors } = await newPage();
    const { token } = await lab.addUser("dora");
    provider.accounts.set("sub-dora", { preferred_username: "somebody" });
    await page.goto(`${lab.url}/sign-in`);
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Sign in with a token" }).click();
    await page.getByRole("link", { name: "dora" }).click();
    await page.getByRole("button", { name: "Link your account of Keycloak" }).click();
    await page.getByRole("link", { name: "Go on to Keycloak" }).click();
    await page.locator("input[name=login]").fill("sub-dora");
    await page.locator("input[name=password]").fill("any");
    await page.locator("button[type=submit]").click();
    await page.locator("button[type=submit]").click();
    await page.waitForURL(`${lab.url}/account`);
    expect(await page.getByText("Keycloak: linked").count()).toBe(1);
    if (process.env["PUMICE_SHOT"]) {
      await page.screenshot({ path: `${process.env["PUMICE_SHOT"]}-account.png`, fullPage: true });
      await page.context().clearCookies();
      await page.goto(`${lab.url}/sign-in`);
      await page.screenshot({ path: `${process.env["PUMICE_SHOT"]}-sign-in.png` });
    }
    expect(errors).toEqual([]);
  },
);
