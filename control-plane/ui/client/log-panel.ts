import { LogFind } from "./log-find.ts";
import { LogIndex } from "./log-index.ts";
import { openLog } from "./log-link.ts";
import { markSection } from "./log-marks.ts";
import type { LogNews } from "./log-messages.ts";
import { LogSelection } from "./log-selection.ts";
import { mountTools, showCounts } from "./log-tools.ts";
import { LogView } from "./log-view.ts";
import { get, showIf } from "./page-parts.ts";

/**
 * The log of the page. When as much has been read as the reader is to see first, it takes over from what the server has rendered;
 * it shows all of the log, follows it, and does what the controls say.
 */
export class LogPanel {
  readonly #index = new LogIndex();
  readonly #view: LogView;
  readonly #find: LogFind;
  readonly #selection: LogSelection;
  readonly #frame = get("log");
  /** Lines that there were when the page was made. */
  readonly #total = Number(this.#frame.dataset["total"]);
  readonly #isFollowed = get("job-header").dataset["state"] !== "Finished" && !isStartAsked();
  #trouble: string | undefined;
  #isTaken = false;

  constructor() {
    const { dataset } = this.#frame;
    const [job, attempt] = [Number(dataset["job"]), Number(dataset["attempt"])];
    const link = openLog(dataset["worker"] ?? "", job, attempt, {
      onNews: (news) => this.#onNews(news),
      onTrouble: (trouble) => {
        this.#trouble = trouble;
        this.showStatus();
      },
    });
    const [frame, index, isReady] = [this.#frame, this.#index, () => this.#isTaken];
    const view = new LogView({
      ...{ frame, index, content: get("lines"), records: link.records },
      wholeLine: dataset["text"] ?? "?",
      decorate: (element, line) => this.#decorate(element, line),
      onMoved: (isAtEnd) => showIf("to-end", this.#isTaken && !isAtEnd),
    });
    const searchUrl = dataset["search"] ?? "";
    const find = new LogFind({ searchUrl, index, view, block: link.block, isReady });
    this.#selection = new LogSelection({
      ...{ frame, view, hasLine: (line) => isReady() && line < index.next },
      current: () => find.current?.line ?? view.topLine().line,
    });
    [this.#view, this.#find] = [view, find];
    mountTools({ frame, index, view, isReady, onLevels: () => find.refresh() });
    get("to-end").addEventListener("click", () => view.scrollToEnd());
    get("to-failure").addEventListener("click", () => {
      const line = this.#failureLine();
      if (line !== undefined) this.#selection.goTo({ from: line + 1, to: line + 1 });
    });
    if (this.#isFollowed && !this.#selection.range) frame.scrollTop = frame.scrollHeight;
    this.showStatus();
  }

  /** 0-based line after the last that has been read. */
  get next(): number {
    return this.#index.next;
  }

  get isComplete(): boolean {
    return this.#index.isComplete;
  }

  #onNews(news: LogNews): void {
    const [index, view] = [this.#index, this.#view];
    const { rowCount } = index;
    if (!this.#isTaken) {
      index.add(news);
      if (this.#isEnough()) this.#takeOver();
    } else {
      if (news.actions && index.folded.size > 0) view.change(() => index.add(news));
      else {
        index.add(news);
        view.grown(rowCount);
      }
      if (news.actions) view.refresh();
      this.#selection.arrived();
    }
    this.#find.more();
    showCounts(index);
    this.showStatus();
  }

  /** Whether what the reader is to see first has been read. */
  #isEnough(): boolean {
    const { range } = this.#selection;
    const servedNext = Number(this.#frame.dataset["next"]);
    const wanted = range ? range.from : this.#isFollowed ? this.#total : servedNext;
    const { isComplete, next } = this.#index;
    return isComplete || next >= Math.min(wanted, Math.max(this.#total, servedNext));
  }

  #takeOver(): void {
    this.#isTaken = true;
    this.#view.begin();
    if (this.#selection.range) this.#selection.show();
    else if (this.#isFollowed) this.#view.scrollToEnd();
  }

  #decorate(element: HTMLElement, line: number): void {
    const section = this.#index.sections.get(line);
    if (section) markSection(element, section, this.#index.folded.has(line));
    element.classList.toggle("marked", this.#selection.has(line));
    this.#find.decorate(element, line);
  }

  /** As the server says of a job that has ended, else as the log tells. One that was canceled did not fail, whatever its log says. */
  #failureLine(): number | undefined {
    const { failure, state, health } = get("job-header").dataset;
    if (state === "Canceling" || health === "Canceled") return undefined;
    return failure === undefined ? this.#index.failureLine() : Number(failure);
  }

  /** Says how much of the log there is, and whether there is a failure to go to. */
  showStatus(): void {
    const { next, isComplete } = this.#index;
    const known = Math.max(next, this.#total);
    const lines = `${known.toLocaleString("en")} ${known === 1 ? "line" : "lines"}`;
    const part = Math.floor((100 * next) / Math.max(1, known));
    const isLive = get("job-header").dataset["state"] !== "Finished";
    const more = next < this.#total ? `, ${part} % read` : isLive ? ", live" : "";
    const state = isComplete ? "" : more;
    const status = get("log-status");
    status.textContent = this.#trouble ?? lines + state;
    status.classList.toggle("trouble", this.#trouble !== undefined);
    if (known > 0) showIf("no-log", false);
    showIf("to-failure", this.#failureLine() !== undefined);
  }
}

const isStartAsked = (): boolean => new URLSearchParams(location.search).has("start");
