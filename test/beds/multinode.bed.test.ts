import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exampleJob, guestDir } from "../support/real-lab.ts";
import { multinodeLab, type MultinodeLab } from "./multinode-lab.ts";

const guest = guestDir();
let lab: MultinodeLab;
beforeAll(async () => {
  lab = await multinodeLab([3, 2]);
});
afterAll(() => lab.close());

const example = exampleJob("qemu-multinode.yaml", guest);

describe("a group of real guests", () => {
  test("of two, on two workers, exchanges what docs/multinode.md says", async () => {
    const ids = await lab.submit(example);
    expect(ids).toHaveLength(2);
    const [server = 0, client = 0] = ids;
    const jobs = await lab.finished(ids);
    const text = `${await lab.log(server)}\n----\n${await lab.log(client)}`;
    expect(
      jobs.map(({ health }) => health),
      text,
    ).toEqual(["Complete", "Complete"]);
    expect(await lab.verdicts(server)).toEqual([
      "0_serve role pass",
      "0_serve multinode-send-ready pass",
      "0_serve multinode-wait-asked pass",
      "0_serve asked pass",
      "0_serve multinode-sync-done pass",
    ]);
    expect(await lab.verdicts(client)).toEqual([
      "0_ask two-members pass",
      "0_ask multinode-wait-ready pass",
      "0_ask port pass",
      "0_ask motto pass",
      "0_ask multinode-send-asked pass",
      "0_ask multinode-sync-done pass",
    ]);
  });

  test("of five exchange their data, in pairs and all together, in every order", async () => {
    const ids = await lab.submit(fiveNodes);
    const jobs = await lab.finished(ids);
    const logs = await Promise.all(ids.map((id) => lab.log(id)));
    expect(
      jobs.map(({ health }) => health),
      logs.join("\n----\n"),
    ).toEqual(ids.map(() => "Complete"));
    expect(ids).toHaveLength(5);
    for (const [index, id] of ids.entries()) {
      const verdicts = await lab.verdicts(id);
      expect(
        verdicts.filter((text) => !text.includes(" multinode-")),
        logs[index],
      ).toEqual(
        ["five-members", "all-sent", "three-nodes", "hub-said", "own-too"].map(
          (name) => `0_five ${name} pass`,
        ),
      );
      expect(verdicts.filter((text) => text.includes(" multinode-sync-round"))).toHaveLength(3);
    }
  });

  test("goes on when the control plane is killed in the middle of a wait, and loses no message", async () => {
    const ids = await lab.submit(heldUp);
    const [early = 0, late = 0] = ids;
    await lab.untilLogged(early, "Received a multinode call: <LAVA_WAIT news>");
    await lab.untilLogged(late, "early has spoken");
    await lab.killServer();
    await lab.startServer();
    const jobs = await lab.finished(ids);
    const text = `${await lab.log(early)}\n----\n${await lab.log(late)}`;
    expect(
      jobs.map(({ health }) => health),
      text,
    ).toEqual(["Complete", "Complete"]);
    expect(await lab.verdicts(early)).toContain("0_early news pass");
    expect(await lab.verdicts(late)).toContain("0_late before pass");
  });

  test("is canceled as a whole when an essential member fails", async () => {
    const ids = await lab.submit(
      example.replace("- lava-send ready", "- lava-test-raise no-service; lava-send ready"),
    );
    const [server, client] = await lab.finished(ids);
    expect(server).toMatchObject({ health: "Incomplete", error_type: "Test" });
    expect(client, await lab.log(ids[1] ?? 0)).toMatchObject({ health: "Canceled" });
  });

  test("goes on without a member that is not essential: a wait for it times out, and its job is Complete", async () => {
    const ids = await lab.submit(
      example
        .replace("- lava-send asked", "- lava-test-raise no-question; lava-send asked")
        .replace("timeout: {minutes: 2}", "timeout: {seconds: 5}"),
    );
    const [server, client] = await lab.finished(ids);
    const text = await lab.log(ids[0] ?? 0);
    expect(client).toMatchObject({ health: "Incomplete", error_type: "Test" });
    expect(server, text).toMatchObject({ health: "Complete" });
    expect(await lab.verdicts(ids[0] ?? 0)).toContain("0_serve multinode-wait-asked fail");
  });
});

/** The example's roles and tests, replaced. */
function withRoles(
  roles: Readonly<Record<string, number>>,
  tests: Readonly<Record<string, readonly string[]>>,
): string {
  const names = Object.keys(roles);
  const all = `role: [${names.join(", ")}]`;
  const head = example
    .slice(0, example.indexOf("- test:"))
    .replaceAll("role: [server, client]", all)
    .replace(
      /    roles:\n[^]*?(?=actions:)/,
      `    roles:\n${names.map((name) => `      ${name}: {device_type: qemu, count: ${roles[name]}, context: {arch: x86_64}}\n`).join("")}`,
    );
  const blocks = Object.entries(tests).map(
    ([suite, steps]) => `- test:
    role: [${roles[suite] === undefined ? names.join(", ") : suite}]
    definitions:
    - from: inline
      name: ${suite}
      path: inline/${suite}.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: ${suite}}
        run:
          steps:
${steps.map((step) => `          - ${JSON.stringify(step)}\n`).join("")}`,
  );
  return head + blocks.join("");
}

const CACHE = "/tmp/lava_multi_node_cache.txt";
const fiveNodes = withRoles(
  { hub: 2, node: 3 },
  {
    five: [
      "lava-test-case five-members --shell test $(lava-group | wc -l) -eq 5",
      "lava-send hello from=$(lava-self) role=$(lava-role)",
      "lava-sync round",
      // Everybody has sent it: so it is there at once, from all.
      "lava-wait-all hello",
      `lava-test-case all-sent --shell test $(grep -c :from= ${CACHE}) -eq 5`,
      `lava-test-case three-nodes --shell test $(grep -c :role=node ${CACHE}) -eq 3`,
      "lava-sync round",
      "if [ $(lava-role) = hub ]; then lava-send start at=$(lava-self); fi",
      "lava-wait-all start hub",
      `lava-test-case hub-said --shell test $(grep -c :at= ${CACHE}) -eq 2`,
      "lava-send own-$(lava-self) self=$(lava-self)",
      "lava-wait own-$(lava-self)",
      `lava-test-case own-too --shell grep -q self=$(lava-self) ${CACHE}`,
      "lava-sync round",
    ],
  },
);

const heldUp = withRoles(
  { early: 1, late: 1 },
  {
    early: [
      "lava-send before word=kept",
      "lava-wait news",
      `lava-test-case news --shell grep -q :word=fresh ${CACHE}`,
      "lava-sync end",
    ],
    late: [
      "lava-wait before",
      "echo early has spoken",
      // While the control plane is killed and started.
      "sleep 6",
      "lava-wait before",
      `lava-test-case before --shell grep -q :word=kept ${CACHE}`,
      "lava-send news word=fresh",
      "lava-sync end",
    ],
  },
);
