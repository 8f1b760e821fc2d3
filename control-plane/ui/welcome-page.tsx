import type { FirstSteps } from "../domain/first-steps.ts";
import { Message, ToCopy } from "./admin-frame.tsx";
import type { Said } from "./answer-form.ts";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

export interface WelcomeProps {
  view: View;
  steps: FirstSteps;
  /** The line with which a machine becomes the worker; shown this once. */
  made?: { worker: string; command: string; isLoopback: boolean } | undefined;
  /** What was typed and refused. */
  typed?: Readonly<Record<string, string>> | undefined;
  message?: Said | undefined;
  /** Whom to ask, for one who is no administrator. */
  administrators: readonly string[];
}

/** The page of a lab that is none yet: a worker, a device, a job, one after the other. */
export function WelcomePage(props: WelcomeProps) {
  const { view, steps, message, administrators } = props;
  const isAdmin = view.user?.admin ?? false;
  return (
    <Page view={view} title="First steps" section="/" script="list-page.js">
      <h1>No jobs yet: three steps to a lab</h1>
      <Message message={message} />
      <div id="first-steps" data-live="">
        <Progress steps={steps} />
      </div>
      {isAdmin && !props.made && (
        <div id="not-heard" data-live="">
          <NotThere steps={steps} />
        </div>
      )}
      {isAdmin ? <Next {...props} /> : <Ask administrators={administrators} steps={steps} />}
    </Page>
  );
}

type Stand = "done" | "now" | "later";

function Progress({ steps: { worker, device } }: { steps: FirstSteps }) {
  const isOnline = worker?.state === "Online";
  const list: [stand: Stand, name: string, says: string][] = [
    [
      isOnline ? "done" : "now",
      "Add a worker",
      worker ? `${worker.name} is ${worker.state}` : "the machine beside the boards",
    ],
    [
      device !== undefined ? "done" : isOnline ? "now" : "later",
      "Add a device",
      device ?? "a board, or a virtual one",
    ],
    [device !== undefined && isOnline ? "now" : "later", "Submit a job", "and follow its log"],
  ];
  return (
    <ol class="steps">
      {list.map(([stand, name, says]) => (
        <li class={stand} aria-current={stand === "now" ? "step" : undefined}>
          <b>{name}</b>
          <small>{stand === "done" ? `Done: ${says}` : says}</small>
        </li>
      ))}
    </ol>
  );
}

function Next(props: WelcomeProps) {
  const { steps } = props;
  if (props.made) return <Enrol made={props.made} />;
  if (!steps.worker) return <AddWorker {...props} />;
  if (steps.device === undefined) {
    return <AddDevice {...props} worker={steps.worker.name} />;
  }
  return (
    <section aria-labelledby="submit">
      <h2 id="submit">Submit a job</h2>
      <p>
        No job has been submitted yet. Choose one to start from, change what you like, and submit
        it:
      </p>
      <p>
        <a class="button primary" href="/submit">
          Submit a job
        </a>
      </p>
      <p>
        Or from a shell: <code>pumice submit job.yaml --watch</code>
      </p>
    </section>
  );
}

const AddWorker = ({ typed }: WelcomeProps) => (
  <section aria-labelledby="worker">
    <h2 id="worker">Add a worker</h2>
    <p>
      A worker is the program beside your boards: it powers them, boots them and runs the jobs. It
      needs no open port. Name the machine, and you get the line that makes it a worker.
    </p>
    <form method="post" action="/welcome/worker" class="filters">
      <label>
        Name
        <input
          name="name"
          required
          maxlength={100}
          value={typed?.["name"] ?? "bench-1"}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
        />
      </label>
      <button class="primary">Make the line</button>
    </form>
  </section>
);

const Enrol = ({ made }: { made: NonNullable<WelcomeProps["made"]> }) => (
  <section aria-labelledby="enrol">
    <h2 id="enrol">{`Make a machine the worker ${made.worker}`}</h2>
    <p>
      Put the one file <code>pumice-worker</code> on it:{" "}
      <a href="/docs/install">how it gets there</a>. There, install it, and once, within the hour,
      enrol it:
    </p>
    <ToCopy id="install-line" text="sudo ./pumice-worker install" label="the first line" />
    <ToCopy id="enrol-line" text={made.command} label="the second line" />
    <p class="muted">This page says above when the worker is Online.</p>
    {made.isLoopback && (
      <p class="notice warn">
        Another machine cannot reach this address. For a worker that is not on this one, open the
        lab by the address that it has in the network.
      </p>
    )}
    <p>
      <a class="button" href="/">
        Go on
      </a>
    </p>
  </section>
);

function NotThere({ steps: { worker } }: { steps: FirstSteps }) {
  if (!worker || worker.state === "Online") return null;
  return (
    <section aria-labelledby="not-there">
      <h2 id="not-there">{`Worker ${worker.name} has not been heard of`}</h2>
      <p>Is the line lost, or older than an hour? The one before is then worth nothing.</p>
      <form method="post" action="/welcome/worker">
        <input type="hidden" name="name" value={worker.name} />
        <input type="hidden" name="again" value="yes" />
        <button>Make another line</button>
      </form>
    </section>
  );
}

const DICTIONARY = `{% extends 'qemu.jinja2' %}
{% set no_kvm = true %}
{% set memory = memory | default(256) %}
`;

function AddDevice({ typed, worker }: WelcomeProps & { worker: string }) {
  const value = (name: string, otherwise: string) => typed?.[name] ?? otherwise;
  return (
    <section aria-labelledby="device">
      <h2 id="device">Add a device</h2>
      <p>
        Its dictionary says what it is and how the worker reaches it. This one is a virtual machine
        that needs QEMU on the worker and nothing else; for a board see{" "}
        <a href="/docs/devices">the documentation</a>. LAVA’s dictionaries work as they are.
      </p>
      <form method="post" action="/welcome/device">
        <div class="fields">
          <label>
            Name
            <input name="hostname" required maxlength={200} value={value("hostname", "virt-01")} />
          </label>
          <label>
            Device type
            <input
              name="device_type"
              required
              maxlength={200}
              value={value("device_type", "qemu")}
            />
          </label>
          <label>
            Worker
            <input name="worker" required maxlength={200} value={value("worker", worker)} />
          </label>
        </div>
        <label for="dictionary">Dictionary</label>
        <textarea
          class="yaml"
          id="dictionary"
          name="dictionary"
          rows={10}
          required
          spellcheck={false}
        >
          {value("dictionary", DICTIONARY)}
        </textarea>
        <button class="primary">Add the device</button>
      </form>
      <p>
        Or from a shell:{" "}
        <code>pumice devices add virt-01 --type qemu --worker {worker} --dictionary FILE</code>
      </p>
    </section>
  );
}

const Ask = ({ administrators, steps }: Pick<WelcomeProps, "administrators" | "steps">) => (
  <div class="nothing">
    <p>
      {steps.device !== undefined && steps.worker
        ? "No job has run here yet."
        : "This lab has no devices yet. An administrator adds workers and devices."}
      {administrators.length > 0 && ` Ask ${administrators.join(" or ")}.`}
    </p>
    <p>
      <a href="/submit">Submit a job</a>, read <a href="/docs">the documentation</a>, or look at{" "}
      <a href="/devices">the devices</a>.
    </p>
  </div>
);
