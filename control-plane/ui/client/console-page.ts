import type { DeviceView, JobView } from "#protocol/api.ts";
import type { ConsoleList, ConsoleOutput, ConsoleView, OpenedConsole } from "#protocol/consoles.ts";
import { ask, Refusal } from "./console-api.ts";
import { downloadConsole, replayConsole, type Replay } from "./console-replay.ts";
import { openTerminal } from "./console-terminal.ts";
import { followConsole } from "./follow-console.ts";
import { get, input, isConfirmed, isOwnPage, showIf, untilText } from "./page-parts.ts";
import { typeConsole } from "./type-console.ts";

/** The page of a device's console: shows the session that is open, types in the one that this window has opened, replays others. */

const REFRESH_MS = 5000;
const HOUR_SECONDS = 3600;
/** 80 columns can't be read here. */
const NARROW_PIXELS = 480;
type Session = ConsoleView;

const { dataset } = get("console");
const hostname = dataset["device"] ?? "";
const user = dataset["user"];
const mayUse = dataset["uses"] === "true";
const mayChange = dataset["changes"] === "true";
/** The lab's clock may be another than the browser's. */
const clockMs = Number(dataset["now"]) - Date.now();
const labNow = (): number => Date.now() + clockMs;
const ofDevice = `/devices/${encodeURIComponent(hostname)}`;

let device: DeviceView | undefined;
/** The job that has the device and waits for a person. */
let waitingJob: number | undefined;
/** The newest, be it open or not. */
let session: Session | undefined;
let known = "";
/** Of the session that this window types in. */
let typing: ({ id: string } & ReturnType<typeof typeConsole>) | undefined;
/** The session that is on the screen. */
let shown: { id: string; stop: AbortController } | undefined;
let replay: Replay | undefined;
/** What was said before this window looked has had its answers. */
let isBefore = false;

const terminal = openTerminal(get("terminal"), {
  onTyped(bytes) {
    if (!isBefore && !replay && session?.state === "open") typing?.type(bytes);
  },
  onLeave: () => get("buttons").querySelector<HTMLElement>("button:not([hidden])")?.focus(),
});
terminal.setTyping(false);
if (get("terminal").clientWidth < NARROW_PIXELS) {
  input("size").value = "window";
  terminal.setSize("window");
}

on("open", () => open());
on("take", () => open());
on("reserve", async () => {
  const body = { device: hostname, seconds: HOUR_SECONDS, reason: "its console" };
  await ask("POST", "/reservations", body);
  await refresh();
  if (isHeld()) await open();
});
on("extend", async () => {
  await ask("POST", `/reservations/${encodeURIComponent(hostname)}/extend`, {
    seconds: HOUR_SECONDS,
  });
  await refresh();
});
on("go-on", async () => {
  if (!session || !(await isConfirmed(`Let job ${session.job} go on?`, "Let it go on"))) return;
  await ask("POST", `/consoles/${session.id}/continue`);
  await refresh();
});
on("end", async () => {
  const isOthers = session?.holder !== user;
  const whose = isOthers ? `the session of ${session?.holder}` : "the session";
  if (!session || !(await isConfirmed(`End ${whose}?`, "End it"))) return;
  await ask("DELETE", `/consoles/${session.id}`);
  await refresh();
});
for (const button of document.querySelectorAll<HTMLElement>("[data-power]")) {
  const power = button.dataset["power"] ?? "";
  listen(button, "click", async () => {
    if (!session || !(await isConfirmed(`Power ${power} of ${hostname}?`, `Power ${power}`)))
      return;
    await ask("POST", `/consoles/${session.id}/power`, { power });
    terminal.focus();
  });
}
listen(get("sessions"), "click", async (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-replay], [data-download]");
  if (!button) return;
  const { replay: played, download } = button.dataset;
  const chosen = await ask<ConsoleView>("GET", `/consoles/${played ?? download}`);
  if (played === undefined) await downloadConsole(chosen);
  else await startReplay(chosen);
});
on("replay-play", () => replay?.toggle());
on("replay-close", async () => {
  stopReplay();
  await refresh();
});
listen(get("replay-at"), "input", () => replay?.seek(Number(input("replay-at").value)));
listen(get("replay-speed"), "change", () => replay?.setSpeed(Number(input("replay-speed").value)));
listen(get("size"), "change", () => {
  terminal.setSize(input("size").value === "window" ? "window" : "serial");
  showSize();
});
new ResizeObserver(showSize).observe(get("terminal"));
setInterval(showTimes, 1000);
setInterval(() => document.hidden || void refresh().catch(() => undefined), REFRESH_MS);
await act(begin);

/** Opens the console at once for whoever comes from the device's page and has just reserved it. */
async function begin(): Promise<void> {
  const isAsked = location.hash === "#open" && isOwnPage(document.referrer);
  history.replaceState(undefined, "", location.pathname);
  await refresh();
  if (isAsked && isHeld() && !isOpen()) await open();
}

async function refresh(): Promise<void> {
  const [now, { consoles }] = await Promise.all([
    ask<DeviceView>("GET", ofDevice),
    ask<ConsoleList>("GET", `${ofDevice}/consoles`),
  ]);
  device = now;
  waitingJob = await waitingOn(now);
  const newest = consoles[0];
  session =
    newest && newest.state !== "ended" ? await ask("GET", `/consoles/${newest.id}`) : newest;
  if (typing && (typing.id !== session?.id || !isOpen())) stopTyping();
  if (isOpen() && session && shown?.id !== session.id && !replay) show(session.id);
  const list = JSON.stringify(consoles.map(({ id, state, reason }) => [id, state, reason]));
  if (list !== known && known !== "") await refreshList();
  known = list;
  render();
}

async function waitingOn({ current_job: id }: DeviceView): Promise<number | undefined> {
  if (id === undefined || !mayUse) return undefined;
  const job = await ask<JobView>("GET", `/jobs/${id}`).catch((error: unknown) => {
    // A job of others, maybe, which this person may not see.
    if (error instanceof Refusal) return undefined;
    throw error;
  });
  return job?.waits_for_person ? id : undefined;
}

/** The server renders the list. */
async function refreshList(): Promise<void> {
  const answer = await fetch(location.pathname);
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("sessions");
  if (fresh) get("sessions").replaceChildren(...fresh.childNodes);
}

async function open(): Promise<void> {
  const off_at_end = waitingJob === undefined && input("off").checked;
  const body = { device: hostname, off_at_end };
  const opened = await ask<OpenedConsole>("POST", "/consoles", body);
  stopReplay();
  stopTyping();
  session = opened;
  const queue = typeConsole(opened, {
    refused(why) {
      stopTyping();
      showTrouble(why);
      void refresh().catch(() => undefined);
    },
    trouble: showTrouble,
  });
  typing = { id: opened.id, ...queue };
  terminal.setTyping(true);
  show(opened.id);
  terminal.focus();
  await refresh();
}

/** Puts a session on the screen, from what it said last on. */
function show(id: string): void {
  shown?.stop.abort();
  const stop = new AbortController();
  shown = { id, stop };
  terminal.reset();
  const follower = {
    async take(bytes: Uint8Array, before: boolean) {
      isBefore = before;
      await terminal.write(bytes);
      isBefore = false;
    },
    state({ state, reason }: ConsoleOutput) {
      if (session?.id !== id || session.state === state) return;
      session = { ...session, state, ...(reason === undefined ? {} : { reason }) };
      if (state === "ended") stopTyping();
      render();
      void refresh().catch(() => undefined);
    },
    report: showTrouble,
  };
  void followConsole(id, follower, stop.signal);
}

function stopTyping(): void {
  typing?.stop();
  typing = undefined;
  terminal.setTyping(false);
}

async function startReplay(chosen: ConsoleView): Promise<void> {
  stopReplay();
  stopTyping();
  shown?.stop.abort();
  shown = undefined;
  get("terminal").classList.add("replaying");
  get("replay").hidden = false;
  replay = await replayConsole(chosen, terminal, ({ at, length, isPlaying }) => {
    const slider = input("replay-at");
    slider.max = String(length);
    slider.value = String(at);
    get("replay-time").textContent = `${at.toFixed(1)} of ${length.toFixed(1)} s`;
    get("replay-play").textContent = isPlaying ? "Pause" : "Play";
  });
  replay.setSpeed(Number(input("replay-speed").value));
  render();
}

function stopReplay(): void {
  if (!replay) return;
  replay.stop();
  replay = undefined;
  terminal.reset();
  get("terminal").classList.remove("replaying");
  get("replay").hidden = true;
}

function isOpen(): boolean {
  return session !== undefined && session.state !== "ended";
}
function isHeld(): boolean {
  const held = device?.reservation;
  return held !== undefined && held.holder === user && held.until !== undefined;
}

/** Which buttons there are, and what is said of the session. */
function render(): void {
  const isMine = isOpen() && session?.holder === user;
  const isFree = device !== undefined && device.reservation === undefined;
  showIf("open", mayUse && (isHeld() || waitingJob !== undefined) && !isOpen());
  showIf("reserve", mayUse && isFree && !waitingJob && device?.health !== "Retired");
  showIf("take", mayUse && isMine && !typing && !replay);
  showIf("off-label", !get("open").hidden && waitingJob === undefined);
  showIf("power", isMine && session?.state === "open" && !replay);
  showIf("go-on", isMine && session?.job !== undefined && !replay);
  showIf("extend", mayUse && isHeld());
  showIf("end", isOpen() && (isMine || mayChange));
  get("state").textContent = stateText();
  showTimes();
}

function stateText(): string {
  if (replay) return "A record is played.";
  const ofJob = session?.job === undefined ? "" : ` Job ${session.job} waits meanwhile.`;
  if (session?.state === "starting") return "The worker is opening the connection …";
  if (session?.state === "open") {
    if (typing) return `You type here.${ofJob}`;
    return session.holder === user
      ? "You type in another window; this one shows what it does."
      : `${session.holder} types; you watch.${ofJob}`;
  }
  if (waitingJob !== undefined) return `Job ${waitingJob} waits for a person at its console.`;
  const held = device?.reservation;
  const ended =
    session?.reason === undefined ? "" : ` The last session is over: ${session.reason}.`;
  if (held && held.holder !== user) return `Reserved by ${held.holder}.${ended}`;
  if (held && held.until === undefined) {
    return `It is yours as soon as job ${device?.current_job ?? ""} is over.${ended}`;
  }
  if (held) return `It is reserved for you; nobody has its console open.${ended}`;
  return `Nobody has its console open.${mayUse ? " To type it must be reserved." : ""}${ended}`;
}

function showTimes(): void {
  const times: string[] = [];
  if (isOpen() && session?.idle_ends && !replay) {
    times.push(`Ends in ${untilText(session.idle_ends, labNow())} unless somebody types`);
  }
  if (isOpen() && session?.off_at_end) times.push("It is switched off at the end");
  const until = device?.reservation?.until;
  if (until !== undefined) {
    times.push(`Reserved for ${untilText(until, labNow())}, until ${until.slice(11, 16)} UTC`);
  }
  get("times").textContent = times.join(". ");
}

function showSize(): void {
  get("size-now").textContent = terminal.size();
}

function showTrouble(news?: string): void {
  get("trouble").textContent = news ?? "";
  showIf("trouble", news !== undefined && news !== "");
}

/** Does something that a person asked for; what comes of it is said. */
async function act(what: () => unknown): Promise<void> {
  try {
    showTrouble();
    await what();
  } catch (error) {
    const isRefused = error instanceof Refusal;
    showTrouble(isRefused ? error.message : "No answer from the lab; try again");
    if (isRefused) void refresh().catch(() => undefined);
  }
}

function on(id: string, what: () => unknown): void {
  listen(get(id), "click", what);
}
function listen(element: HTMLElement, event: string, what: (event: Event) => unknown): void {
  element.addEventListener(event, (happened) => void act(() => what(happened)));
}
