import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MultinodeCalls } from "../../../worker/actions/test/multinode-calls.ts";
import type { SignalReader } from "../../../worker/actions/test/signal-reader.ts";
import type { RunContext } from "../../../worker/pipeline/action.ts";
import { acked, aMember, standInGroup } from "../../support/stand-in-group.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => vi.useRealTimers());

test("a question that the DUT repeats while its answer is typed slowly is not answered twice; one that it repeats afterwards is", async () => {
  const group = standInGroup({ answers: () => acked({ "8": { k: "v" } }) });
  const context = {
    job: { definition: aMember({}) },
    log: { debug: () => {} },
    signal: new AbortController().signal,
  } as unknown as RunContext;
  const reader = { groupCall: () => () => {} } as unknown as SignalReader;
  const calls = new MultinodeCalls(group, context, reader);
  const typed: string[] = [];
  const type = async (line: string) => {
    vi.advanceTimersByTime(5_000);
    expect(calls.askedAgain(3)).toEqual([]);
    typed.push(line);
  };
  const isAnswered = new Promise((resolve) => calls.news.addEventListener("abort", resolve));
  calls.take("<LAVA_WAIT x>", 3);
  await isAnswered;
  await calls.typeAll(calls.settle(), type);
  expect(typed.join()).toContain("<LAVA_WAIT_COMPLETE 8:k=v>");
  expect(calls.askedAgain(3)).toEqual([]);
  vi.advanceTimersByTime(1_000);
  await calls.typeAll(calls.askedAgain(3), type);
  expect(typed.length).toBe(2);
  expect(calls.askedAgain(3)).toEqual([]);
  calls.close();
});
