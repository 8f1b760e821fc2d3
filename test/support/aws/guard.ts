import { once } from "node:events";
import { createServer, request as ask, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { AwsPlace } from "../../../control-plane/engines/aws/place.ts";
import { LAB_TEMPLATE, readTemplate } from "../../../infra/read-template.ts";

/** A lab's account as one role of infra/template.yaml sees it: what the role does not allow is refused. */
export interface Guard {
  readonly place: AwsPlace;
  /** What was asked and is not allowed: `dynamodb:Scan table`, once each, in order of name. */
  refused(): string[];
  /** What is allowed and was not asked. */
  unused(): string[];
  close(): Promise<void>;
}

type Statement = { Effect: string; Action: string[]; Resource: unknown };

/** What is asked, as IAM would say it. */
interface Deed {
  readonly action: string;
  /** `table`, `index by-i1`, `passes`, `workers-queue`, `bucket`, `jobs-blob`, `job-blocks-blob`, `releases-blob`, `device-photos-blob`, `other`. */
  readonly resource: string;
}

/**
 * Stands between a lab and its emulators. Signed requests for blobs come through it too, as at AWS; polls of workers'
 * queues do not, as the addresses of queues are the emulator's own.
 */
export async function startGuard(place: AwsPlace, role: string): Promise<Guard> {
  const allowed = deedsOf(role);
  const used = new Set<string>();
  const refused = new Set<string>();
  const services = ["dynamodb", "s3", "sqs"] as const;
  const fronts = await Promise.all(
    services.map(async (service) => {
      const target = new URL(place.endpoints?.[service] ?? "");
      const server = createServer((incoming, response) => {
        void bodyOf(incoming).then((body) => {
          const deeds = deedsIn[service](incoming, body, place).map(nameOf);
          for (const deed of deeds) used.add(deed);
          const bad = deeds.filter((deed) => !allowed.has(deed));
          for (const deed of bad) refused.add(deed);
          if (bad.length > 0) {
            const __type = "com.amazon#AccessDeniedException";
            response.writeHead(400, { "content-type": "application/x-amz-json-1.0" });
            response.end(JSON.stringify({ __type, message: `${role} may not ${bad.join(", ")}` }));
            return;
          }
          const { method, url: path, headers } = incoming;
          const { hostname: host, port } = target;
          // The host is signed: it stays that of this guard.
          const onward = ask({ host, port, method, path, headers, agent: false }, (answer) => {
            response.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(response);
          });
          onward.on("error", () => response.destroy());
          response.on("close", () => onward.destroy());
          onward.end(body);
        });
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const [dynamodb, s3, sqs] = fronts.map(
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  );
  return {
    place: { ...place, endpoints: { dynamodb, s3, sqs } },
    refused: () => [...refused].toSorted(),
    unused: () => [...allowed].filter((deed) => !used.has(deed)).toSorted(),
    async close() {
      for (const server of fronts) {
        const closed = once(server, "close");
        server.close();
        server.closeAllConnections();
        await closed;
      }
    },
  };
}

const nameOf = ({ action, resource }: Deed): string => `${action} ${resource}`;

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Every deed that the statements of a role allow, by name. */
function deedsOf(role: string): ReadonlySet<string> {
  const { Properties } = readTemplate(LAB_TEMPLATE).template.Resources[role] ?? {};
  const policies = Properties?.["Policies"] as { PolicyDocument: { Statement: Statement[] } }[];
  const statements = policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
  const allowing = statements.filter(({ Effect }) => Effect === "Allow");
  return new Set(
    allowing.flatMap(({ Action, Resource }) =>
      [Resource]
        .flat()
        .flatMap((resource) =>
          Action.map((action) => `${action} ${RESOURCES[JSON.stringify(resource)] ?? "other"}`),
        ),
    ),
  );
}

/** Resources as the template writes them. */
const RESOURCES: Readonly<Record<string, string>> = {
  '{"Fn::GetAtt":["Table","Arn"]}': "table",
  ...Object.fromEntries(
    [1, 2, 3, 4].map((n) => [`{"Fn::Sub":"\${Table.Arn}/index/by-i${n}"}`, `index by-i${n}`]),
  ),
  '{"Fn::Sub":"${Table.Arn}/stream/*"}': "stream",
  '{"Fn::GetAtt":["Passes","Arn"]}': "passes",
  '{"Fn::Sub":"arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-w-*"}':
    "workers-queue",
  '{"Fn::GetAtt":["Blobs","Arn"]}': "bucket",
  '{"Fn::Sub":"${Blobs.Arn}/jobs/*"}': "jobs-blob",
  '{"Fn::Sub":"${Blobs.Arn}/job-blocks/*"}': "job-blocks-blob",
  '{"Fn::Sub":"${Blobs.Arn}/releases/*"}': "releases-blob",
  '{"Fn::Sub":"${Blobs.Arn}/device-photos/*"}': "device-photos-blob",
};

type Find = (incoming: IncomingMessage, body: Buffer, place: AwsPlace) => Deed[];

const deedsIn: Record<"dynamodb" | "s3" | "sqs", Find> = {
  dynamodb(incoming, body) {
    const operation = operationOf(incoming);
    const input = JSON.parse(body.toString()) as {
      IndexName?: string;
      TransactItems?: Record<string, object>[];
    };
    if (operation === "TransactWriteItems") {
      return (input.TransactItems ?? []).flatMap((item) =>
        Object.keys(item).map((kind) => {
          const action = kind === "ConditionCheck" ? "ConditionCheckItem" : `${kind}Item`;
          return { action: `dynamodb:${action}`, resource: "table" };
        }),
      );
    }
    const resource = input.IndexName === undefined ? "table" : `index ${input.IndexName}`;
    return [{ action: `dynamodb:${operation}`, resource }];
  },
  // HEAD is GetObject to IAM; that an absent blob asks for ListBucket can't be seen here.
  s3({ method, url = "" }, _, { bucket }) {
    const [, kind] = /^\/([a-z-]+)\//.exec(url.slice(bucket.length + 1)) ?? [];
    const known = ["jobs", "job-blocks", "releases", "device-photos"];
    const isKnown = url.startsWith(`/${bucket}/`) && known.includes(kind ?? "");
    const written = { PUT: "s3:PutObject", DELETE: "s3:DeleteObject" }[method ?? ""];
    const action = written ?? "s3:GetObject";
    return [{ action, resource: isKnown ? `${kind}-blob` : "other" }];
  },
  sqs(incoming, body, { queuePrefix }) {
    const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://sqs");
    const isQuery = searchParams.has("Action");
    const input = isQuery ? {} : (JSON.parse(body.toString()) as Record<string, string>);
    const name = input["QueueName"] ?? (isQuery ? pathname : (input["QueueUrl"] ?? ""));
    const queue = name.split("/").at(-1) ?? "";
    const resource =
      queue === `${queuePrefix}-passes.fifo`
        ? "passes"
        : queue.startsWith(`${queuePrefix}-w-`)
          ? "workers-queue"
          : "other";
    const operation = isQuery ? searchParams.get("Action") : operationOf(incoming);
    return [{ action: `sqs:${operation}`, resource }];
  },
};

const operationOf = ({ headers }: IncomingMessage): string =>
  String(headers["x-amz-target"] ?? "").replace(/^.*\./, "");
