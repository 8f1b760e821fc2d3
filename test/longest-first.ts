import {
  BaseSequencer,
  type TestSequencer,
  type TestSpecification,
  type Vitest,
} from "vitest/node";

/** What takes long, longest first. A fresh clone knows no times, and one of these that begins last keeps a core idle. */
const LONG = [
  "e2e/self-upgrade",
  "beds/noisy",
  "beds/grub-family",
  "compat/our-worker",
  "domain/schedule",
  "beds/install-systemd",
  "compat/lava-worker",
  "e2e/self-upgrade-arm",
  "domain/group-parts-whatever",
  "e2e/every-page",
  "beds/nfs",
  "beds/containers-lab",
  "compat/lavacli",
  "beds/release",
  "domain/group-schedule",
  "beds/install-inits",
  "domain/claims-whatever",
  "domain/group-whatever",
  "lava/stock-worker",
  "agent/power-loss",
  "e2e/chaos",
  "e2e/docs-site",
  "e2e/huge-log",
  "e2e/console",
].map((name) => `/test/${name}.`);

/** Tests in the order of `LONG`, then as vitest has them: by the times that it has noted, or by their files' size. */
export class LongestFirst implements TestSequencer {
  readonly #usual: BaseSequencer;

  constructor(vitest: Vitest) {
    this.#usual = new BaseSequencer(vitest);
  }

  shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    return this.#usual.shard(files);
  }

  async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await this.#usual.sort(files);
    return sorted.toSorted((a, b) => place(a) - place(b));
  }
}

function place({ moduleId }: TestSpecification): number {
  const found = LONG.findIndex((part) => moduleId.includes(part));
  return found < 0 ? LONG.length : found;
}
