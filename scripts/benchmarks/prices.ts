/**
 * What AWS charges in us-east-1 on demand, USD per unit, free tiers left out. From memory in November 2026, not read
 * from a live price list: within 10 % (infra/README.md has the list with its sources and dates).
 */
export const PRICES = {
  date: "2026-11",
  lambdaRequest: 0.2e-6,
  /** arm64, per GB and second. */
  lambdaGbSecond: 1.33334e-5,
  httpApiRequest: 1e-6,
  /** Each 32 KB of what either side says; to connect is one, too. */
  socketMessage: 1e-6,
  socketMinute: 0.25e-6,
  sqsRequest: 0.4e-6,
  sqsFifoRequest: 0.5e-6,
  writeUnit: 0.625e-6,
  readUnit: 0.125e-6,
  tableGbMonth: 0.25,
  /** Point-in-time recovery. */
  tableBackupGbMonth: 0.2,
  s3Put: 5e-6,
  s3Get: 0.4e-6,
  s3GbMonth: 0.023,
  logGb: 0.5,
} as const;

/** How often something was done, or how much of it there was. */
export interface Usage {
  lambdaRequests: number;
  lambdaGbSeconds: number;
  httpRequests: number;
  /** Of LAVA's event stream. */
  socketMessages: number;
  socketMinutes: number;
  sqsRequests: number;
  sqsFifoRequests: number;
  writeUnits: number;
  readUnits: number;
  s3Puts: number;
  s3Gets: number;
  /** Of the functions and the API. */
  logBytes: number;
  /** Kept for 30 days. */
  s3Bytes: number;
  tableBytes: number;
}

export const NOTHING: Usage = {
  lambdaRequests: 0,
  lambdaGbSeconds: 0,
  httpRequests: 0,
  socketMessages: 0,
  socketMinutes: 0,
  sqsRequests: 0,
  sqsFifoRequests: 0,
  writeUnits: 0,
  readUnits: 0,
  s3Puts: 0,
  s3Gets: 0,
  logBytes: 0,
  s3Bytes: 0,
  tableBytes: 0,
};

const GB = 1e9;

/** USD by service. */
export function priceOf(usage: Usage): Record<string, number> {
  return {
    "Lambda requests": usage.lambdaRequests * PRICES.lambdaRequest,
    "Lambda time": usage.lambdaGbSeconds * PRICES.lambdaGbSecond,
    "HTTP API": usage.httpRequests * PRICES.httpApiRequest,
    "WebSocket API":
      usage.socketMessages * PRICES.socketMessage + usage.socketMinutes * PRICES.socketMinute,
    SQS: usage.sqsRequests * PRICES.sqsRequest + usage.sqsFifoRequests * PRICES.sqsFifoRequest,
    "DynamoDB writes": usage.writeUnits * PRICES.writeUnit,
    "DynamoDB reads": usage.readUnits * PRICES.readUnit,
    "S3 requests": usage.s3Puts * PRICES.s3Put + usage.s3Gets * PRICES.s3Get,
    "CloudWatch logs": (usage.logBytes / GB) * PRICES.logGb,
    "storage, 30 days":
      (usage.s3Bytes / GB) * PRICES.s3GbMonth +
      (usage.tableBytes / GB) * (PRICES.tableGbMonth + PRICES.tableBackupGbMonth),
  };
}

export const total = (prices: Record<string, number>): number =>
  Object.values(prices).reduce((a, b) => a + b, 0);

export const times = (usage: Usage, factor: number): Usage =>
  mapUsage((name) => usage[name] * factor);

export const minus = (a: Usage, b: Usage): Usage => mapUsage((name) => a[name] - b[name]);

function mapUsage(value: (name: keyof Usage) => number): Usage {
  const names = Object.keys(NOTHING) as (keyof Usage)[];
  return Object.fromEntries(names.map((name) => [name, value(name)])) as unknown as Usage;
}
