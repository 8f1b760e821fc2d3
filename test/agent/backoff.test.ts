import { expect, test } from "vitest";
import { Backoff } from "../../worker/agent/backoff.ts";
import { systemClock } from "../../worker/agent/clock.ts";
import { HttpError } from "../../worker/host/http-client.ts";

const backoff = (random = 1): Backoff => new Backoff({ ...systemClock, random: () => random });
const error = (status: number, retryAfterSeconds?: number): HttpError =>
  new HttpError("no", { status, retryAfterSeconds });

test("delays double up to 30 s and begin anew after a success", () => {
  const one = backoff();
  const delays = Array.from({ length: 10 }, () => one.next(error(0)));
  expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  one.reset();
  expect(one.next(error(0))).toBe(250);
});

test("half of a delay is chance", () => {
  expect(backoff(0).next(error(500))).toBe(125);
});

test("a refused token is asked with again only after a long while", () => {
  expect(backoff().next(error(401))).toBe(30_000);
  expect(backoff().next(error(403))).toBe(30_000);
});

test("Retry-After is obeyed, up to five minutes", () => {
  expect(backoff().next(error(429, 7))).toBe(7000);
  expect(backoff().next(error(503, 86_400))).toBe(300_000);
});
