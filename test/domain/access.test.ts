import { describe, expect, test } from "vitest";
import {
  mayAdministerDevice,
  mayChangeDevice,
  mayChangeJob,
  mayDoTo,
  maySeeDevice,
  maySeeDeviceType,
  maySeeJob,
  maySeeWorker,
  maySubmitTo,
  type Access,
} from "../../control-plane/domain/access.ts";

const somebody = (over: Partial<Access> = {}): Access => ({
  ...{ name: "alice", admin: false, active: true, groups: ["team"] },
  ...{ rule: "closed", lab: {} },
  ...over,
});
const nobody = (over: Partial<Access> = {}): Access => somebody({ name: "", groups: [], ...over });
const device = (permissions: object = {}, health: "Good" | "Retired" = "Good") => ({
  ...{ health, permissions },
});
const job = (over: object = {}) => ({ submitter: "bob", ...over });

describe("the closed rule", () => {
  test("gives nothing to whom nothing is granted", () => {
    for (const one of [somebody(), nobody()]) {
      expect(maySeeDeviceType(one, {})).toBe(false);
      expect(maySeeDevice(one, device(), {})).toBe(false);
      expect(maySubmitTo(one, device(), {})).toBe(false);
      expect(mayChangeDevice(one, device(), {})).toBe(false);
      expect(maySeeWorker(one, {})).toBe(false);
      expect(maySeeJob(one, job(), device(), {})).toBe(false);
    }
  });

  test("takes each permission to imply those before it", () => {
    for (const [permission, view, submit, change, admin] of [
      ["view", true, false, false, false],
      ["submit", true, true, false, false],
      ["change", true, true, true, false],
      ["admin", true, true, true, true],
    ] as const) {
      const granted = device({ [permission]: ["team"] });
      expect([
        maySeeDevice(somebody(), granted, {}),
        maySubmitTo(somebody(), granted, {}),
        mayChangeDevice(somebody(), granted, {}),
        mayAdministerDevice(somebody(), granted, {}),
      ]).toEqual([view, submit, change, admin]);
    }
  });

  test("lets a device have what its type or the lab grants", () => {
    const type = { permissions: { submit: ["team"] } };
    expect(maySubmitTo(somebody(), device(), type)).toBe(true);
    // A grant of the device's own takes nothing away.
    expect(maySubmitTo(somebody(), device({ submit: ["others"] }), type)).toBe(true);
    expect(maySubmitTo(somebody({ lab: { submit: ["team"] } }), device(), {})).toBe(true);
  });

  test("grants to users, to everyone who is signed in, and to anybody at all", () => {
    expect(maySeeDevice(somebody(), device({ view: ["user:alice"] }), {})).toBe(true);
    expect(maySeeDevice(somebody(), device({ view: ["user:alic", "alice"] }), {})).toBe(false);
    expect(maySeeDevice(somebody(), device({ view: ["everyone"] }), {})).toBe(true);
    expect(maySeeDevice(nobody(), device({ view: ["everyone"] }), {})).toBe(false);
    expect(maySeeDevice(nobody(), device({ view: ["anonymous"] }), {})).toBe(true);
    expect(maySeeDevice(somebody(), device({ view: ["anonymous"] }), {})).toBe(true);
  });
});

describe("the open rule is LAVA's (SCHEDULER.md 5)", () => {
  const alice = somebody({ rule: "open" });
  const anonymous = nobody({ rule: "open" });

  test("what grants a permission to nobody is unrestricted for it", () => {
    expect(maySeeDevice(alice, device(), {})).toBe(true);
    expect(maySeeDevice(anonymous, device(), {})).toBe(true);
    expect(maySeeWorker(anonymous, {})).toBe(true);
    // Another permission does not restrict this one.
    expect(maySeeDevice(anonymous, device({ change: ["others"] }), {})).toBe(true);
    expect(maySubmitTo(alice, device({ change: ["others"] }), {})).toBe(true);
  });

  test("what grants it to some has it for them only, and never for whom is not signed in", () => {
    expect(maySeeDevice(alice, device({ view: ["others"] }), {})).toBe(false);
    expect(maySeeDevice(alice, device({ view: ["team"] }), {})).toBe(true);
    expect(maySeeDevice(anonymous, device({ view: ["team"] }), {})).toBe(false);
    expect(maySubmitTo(alice, device({ submit: ["others"] }), {})).toBe(false);
  });

  test("a device that is unrestricted has the restriction of its type", () => {
    const type = { permissions: { view: ["others"], submit: ["others"] } };
    expect(maySeeDevice(alice, device(), type)).toBe(false);
    expect(maySubmitTo(alice, device(), type)).toBe(false);
    expect(maySeeDevice(alice, device({ view: ["team"] }), type)).toBe(true);
    expect(maySubmitTo(alice, device({ submit: ["team"] }), type)).toBe(true);
  });

  test("submitting needs somebody who is signed in", () => {
    expect(maySubmitTo(alice, device(), {})).toBe(true);
    expect(maySubmitTo(anonymous, device(), {})).toBe(false);
  });

  test("changing always needs a grant, of the device or, where it has none, of its type", () => {
    const type = { permissions: { change: ["team"] } };
    expect(mayChangeDevice(alice, device(), {})).toBe(false);
    expect(mayChangeDevice(alice, device(), type)).toBe(true);
    expect(mayChangeDevice(alice, device({ change: ["others"] }), type)).toBe(false);
    expect(mayDoTo(alice, {}, "change")).toBe(false);
    expect(mayDoTo(alice, { permissions: { change: ["team"] } }, "change")).toBe(true);
  });
});

describe.each(["closed", "open"] as const)("whatever the rule (%s)", (rule) => {
  const alice = somebody({ rule });

  test("an administrator may everything but submit to what is Retired", () => {
    const admin = somebody({ rule, admin: true, groups: [] });
    const others = device({ view: ["others"], submit: ["others"], change: ["others"] });
    expect(maySeeDevice(admin, others, {})).toBe(true);
    expect(maySubmitTo(admin, others, {})).toBe(true);
    expect(mayAdministerDevice(admin, others, {})).toBe(true);
    expect(maySeeJob(admin, job({ visibility: "personal" }), undefined, {})).toBe(true);
    expect(maySubmitTo(admin, device({}, "Retired"), {})).toBe(false);
  });

  test("the lab's own health checks run on every device that is not Retired", () => {
    const lab = somebody({ rule, name: "lava-health", groups: [] });
    expect(maySubmitTo(lab, device({ submit: ["others"] }), {})).toBe(true);
    expect(maySubmitTo(lab, device({}, "Retired"), {})).toBe(false);
  });

  test("somebody who is not active may nothing, be it granted or theirs", () => {
    const gone = somebody({ rule, active: false, admin: true });
    const all = device({ admin: ["team", "everyone", "anonymous"] });
    expect(maySeeDevice(gone, all, {})).toBe(false);
    expect(maySubmitTo(gone, all, {})).toBe(false);
    expect(mayChangeDevice(gone, all, {})).toBe(false);
    expect(maySeeJob(gone, job({ submitter: "alice" }), undefined, {})).toBe(false);
    expect(mayChangeJob(gone, job({ submitter: "alice" }), undefined, {})).toBe(false);
  });

  test("a public job is seen by who may see its device, or its type while it has none", () => {
    const mine = { permissions: { view: ["team"] } };
    const theirs = { permissions: { view: ["others"] } };
    expect(maySeeJob(alice, job(), mine, {})).toBe(true);
    expect(maySeeJob(alice, job(), undefined, mine)).toBe(true);
    expect(maySeeJob(alice, job(), undefined, theirs)).toBe(false);
    expect(maySeeJob(alice, job(), theirs, theirs)).toBe(false);
  });

  test("a personal job is seen by its submitter", () => {
    const all = { permissions: { change: ["everyone"] } };
    expect(maySeeJob(alice, job({ visibility: "personal" }), all, all)).toBe(false);
    expect(maySeeJob(alice, job({ visibility: "personal", submitter: "alice" }), all, all)).toBe(
      true,
    );
    // Whoever sees the whole lab does not see what is somebody's own.
    const overseer = somebody({ rule, lab: { change: ["team"] } });
    expect(maySeeJob(overseer, job({ visibility: "personal" }), all, all)).toBe(false);
  });

  test("a job for groups is seen by who is in all of them", () => {
    const both = job({ visibility: "group", viewing_groups: ["team", "lab"] });
    expect(maySeeJob(alice, both, undefined, {})).toBe(false);
    expect(maySeeJob(somebody({ rule, groups: ["lab", "team"] }), both, undefined, {})).toBe(true);
  });

  test("a job is changed by its submitter and by who may change its device or type", () => {
    const mine = { permissions: { change: ["team"] } };
    expect(mayChangeJob(alice, job({ submitter: "alice" }), undefined, {})).toBe(true);
    expect(mayChangeJob(alice, job(), mine, {})).toBe(true);
    expect(mayChangeJob(alice, job(), undefined, mine)).toBe(true);
    expect(mayChangeJob(alice, job(), { permissions: { submit: ["team"] } }, {})).toBe(false);
    expect(mayChangeJob(nobody({ rule }), job({ submitter: "" }), undefined, {})).toBe(false);
  });
});
