import type { DeviceView } from "#protocol/api.ts";
import { DEVICE_HEALTHS } from "#protocol/states.ts";
import type { DevicePowers } from "../domain/device-powers.ts";
import { formatUtc } from "./format-time.ts";
import type { View } from "./view.ts";

interface FormsProps {
  view: View;
  device: DeviceView;
  powers: DevicePowers;
}

/** What whoever looks at a device may do with it: reserve it, set its health, ask for a health check. */
export function DeviceForms(props: FormsProps) {
  const { view, powers, device } = props;
  if (!view.user || view.archive) return null;
  const mayReserve = (powers.submits || powers.changes) && device.health !== "Retired";
  if (!mayReserve && !powers.changes && !device.reservation) return null;
  return (
    <div class="cards device-forms">
      {(mayReserve || device.reservation) && <Reservation {...props} />}
      {powers.changes && <Health {...props} />}
    </div>
  );
}

function Reservation(props: FormsProps) {
  const { device, view } = props;
  const { reservation } = device;
  const isMine = reservation?.holder === view.user?.name || view.user?.admin === true;
  return (
    <section class="card">
      <h2>Reservation</h2>
      {reservation && (
        <p>
          <strong>{reservation.holder}</strong>
          {reservation.until === undefined
            ? " has it from the end of the job that it runs."
            : ` has it until ${formatUtc(reservation.until)}.`}{" "}
          <span class="muted">Nobody else’s job is given it meanwhile.</span>
        </p>
      )}
      {!reservation && <Reserve {...props} />}
      {reservation && isMine && <Extend device={device} />}
      {reservation && !isMine && (
        <p class="muted">{`It can be released by ${reservation.holder} and by administrators.`}</p>
      )}
    </section>
  );
}

function Reserve({ device }: FormsProps) {
  const where = formOf(device, "reservation");
  return (
    <>
      <p class="muted">
        Until it ends only your jobs get the device, and its console is yours. A job that runs on it
        ends first.
      </p>
      <form method="post" action={where} class="inline-form">
        <input type="hidden" name="do" value="reserve" />
        <label>
          Hours
          <input type="number" name="hours" value="1" min="0.25" max="8784" step="0.25" required />
        </label>
        <label class="grow">
          Why
          <input name="reason" maxlength={1000} autocomplete="off" />
        </label>
        <button>Reserve</button>
      </form>
      <form method="post" action={formOf(device, "console")}>
        <button>Reserve for 1 h and open its console</button>
      </form>
    </>
  );
}

function Extend({ device }: { device: DeviceView }) {
  const where = formOf(device, "reservation");
  return (
    <div class="toolbar">
      <form method="post" action={where} class="inline-form">
        <input type="hidden" name="do" value="extend" />
        <label>
          Hours more
          <input type="number" name="hours" value="1" min="0.25" max="8784" step="0.25" required />
        </label>
        <button>Extend</button>
      </form>
      <form method="post" action={where}>
        <input type="hidden" name="do" value="release" />
        <button>Release it now</button>
      </form>
    </div>
  );
}

const ABOUT = {
  Good: "gets jobs",
  Unknown: "gets jobs; a health check comes first",
  Looping: "gets health checks only, one after the other",
  Bad: "gets no jobs",
  Maintenance: "gets no jobs, while somebody works on it",
  Retired: "gets no jobs any more; the one it runs is canceled",
} as const;

function Health({ device }: FormsProps) {
  return (
    <section class="card">
      <h2>Health</h2>
      <form method="post" action={formOf(device, "health")} class="inline-form">
        <label>
          Health
          <select name="health">
            {DEVICE_HEALTHS.map((health) => (
              <option value={health} selected={health === device.health}>
                {`${health}: ${ABOUT[health]}`}
              </option>
            ))}
          </select>
        </label>
        <label class="grow">
          Why
          <input name="reason" maxlength={1000} autocomplete="off" />
        </label>
        <button>Set the health</button>
      </form>
      {!device.health_check_due && device.health !== "Retired" && (
        <form method="post" action={formOf(device, "health-check")}>
          <button>Run a health check next</button>
        </form>
      )}
    </section>
  );
}

const formOf = ({ hostname }: DeviceView, name: string): string =>
  `/devices/${encodeURIComponent(hostname)}/${name}`;
