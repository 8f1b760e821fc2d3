import { expect, test } from "vitest";
import { fetchUrl } from "../../worker/host/fetch-url.ts";
import { freePort } from "../support/loopback-ports.ts";

test("a download from where nobody listens names the address and what to look at", async () => {
  const url = `http://127.0.0.1:${await freePort()}/image`;
  await expect(fetchUrl(url, { method: "HEAD", backoffMs: 0.01 })).rejects.toMatchObject({
    type: "Infrastructure",
    message: expect.stringMatching(
      `^Unable to get '${url}': .*ECONNREFUSED.*; nobody listens there: is it started`,
    ) as unknown,
  });
});
