import { setTimeout as sleep } from "node:timers/promises";
import type { Console } from "../../console/console.ts";
import { openDesk, type Desk } from "../../host/person-desk.ts";
import type { RunContext } from "../../pipeline/action.ts";

/** Of what the DUT said last, for a person who comes. */
const SEEN_CHARS = 4000;

/**
 * Lets a person take the console while a step only waits: `wait` is given up when they come (`giveUp`) and begun again when they
 * leave; undefined when they have said that the job goes on. Nobody else looks at what comes meanwhile. What they type is in
 * the record of their session; the job's log has it as the DUT echoes it.
 *
 * @throws as `wait`; the signal's reason, also with a person at the console.
 */
export async function waitWithPerson<T>(
  context: RunContext,
  console: Console,
  wait: (giveUp?: AbortSignal) => Promise<T | undefined>,
): Promise<T | undefined> {
  const { job, log } = context;
  if (job.consoleSocket === undefined) return wait();
  let visit = newVisit();
  let desk: Desk;
  try {
    desk = await openDesk(job.consoleSocket, {
      came(holder) {
        log.info(`${holder} has the console`);
        visit.came.abort();
      },
      typed: (bytes) => visit.type(bytes),
      goesOn: () => visit.end("goes on"),
      left() {
        visit.end("left");
        visit = newVisit();
      },
    });
  } catch (error) {
    log.warning(`nobody can take the console meanwhile: ${(error as Error).message}`);
    return wait();
  }
  log.info(`waiting; a person may take the console: pumice console --job ${job.jobId}`);
  try {
    for (;;) {
      const current = visit;
      const found = await wait(current.came.signal);
      if (found !== undefined) return found;
      const how = await serve(context, console, desk, current);
      log.info(how === "left" ? "waiting again: the console was left" : "the job goes on");
      if (how === "goes on") return undefined;
      // What they saw is not what the step waits for.
      console.skip();
    }
  } finally {
    await desk.close("the job goes on");
  }
}

type How = "goes on" | "left";
type Visit = ReturnType<typeof newVisit>;

/** From a person's coming to their going. */
function newVisit() {
  const over = new AbortController();
  let how: How = "left";
  const early: Uint8Array[] = [];
  return {
    came: new AbortController(),
    over: over.signal,
    /** Typed before the line was lent. */
    early,
    type: (bytes: Uint8Array): void => void early.push(bytes),
    end: (as: How): void => {
      how = as;
      over.abort();
    },
    how: (): How => how,
  };
}

async function serve(
  { signal, timeoutSeconds, characterDelayMs }: RunContext,
  console: Console,
  desk: Desk,
  visit: Visit,
): Promise<How> {
  return console.lend(
    async (line) => {
      let typed: Promise<unknown> = Promise.resolve();
      visit.type = (bytes) => {
        // In order; a line that is closed ends the wait below.
        typed = typed.then(() => typeSlowly(line.write, bytes, characterDelayMs)).catch(() => {});
      };
      for (const bytes of visit.early) visit.type(bytes);
      desk.say(Buffer.from(console.textSince(console.received - SEEN_CHARS)));
      line.onData((bytes) => desk.say(bytes));
      while (!visit.over.aborted) {
        await console.tryExpect({}, { timeoutSeconds, signal, giveUp: visit.over });
      }
      await typed;
      return visit.how();
    },
    { beside: true },
  );
}

/** At the pace that this part of the job types at: a serial line may lose what comes faster. */
async function typeSlowly(
  write: (bytes: Uint8Array) => Promise<void>,
  bytes: Uint8Array,
  delayMs: number,
): Promise<void> {
  if (delayMs === 0) return write(bytes);
  for (const byte of bytes) {
    await write(Uint8Array.of(byte));
    await sleep(delayMs);
  }
}
