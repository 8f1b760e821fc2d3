import type { AwsService } from "./sigv4.ts";

/** Bytes are of bodies alone. `errors` are the calls among them that were answered 400 or more. */
export interface OperationCount {
  readonly calls: number;
  readonly errors: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface MeterReading {
  readonly s3: Readonly<Record<string, OperationCount>>;
  readonly sqs: Readonly<Record<string, OperationCount>>;
  /** What the objects now in S3 weigh; no reset changes it. */
  readonly storedBytes: number;
}

export interface CallMeter {
  read(): MeterReading;
  reset(): void;
  count(
    service: AwsService,
    operation: string,
    call: { status: number; bytesIn: number; bytesOut: number },
  ): void;
  /** The size an object has now; undefined when there is none. */
  store(object: string, bytes: number | undefined): void;
  forgetStored(): void;
}

export function createCallMeter(): CallMeter {
  let counts: Record<AwsService, Record<string, OperationCount>> = { s3: {}, sqs: {} };
  const stored = new Map<string, number>();
  return {
    read: () => ({
      ...structuredClone(counts),
      storedBytes: [...stored.values()].reduce((sum, bytes) => sum + bytes, 0),
    }),
    reset: () => void (counts = { s3: {}, sqs: {} }),
    count(service, operation, { status, bytesIn, bytesOut }) {
      const before = counts[service][operation] ?? { calls: 0, errors: 0, bytesIn: 0, bytesOut: 0 };
      counts[service][operation] = {
        calls: before.calls + 1,
        errors: before.errors + (status >= 400 ? 1 : 0),
        bytesIn: before.bytesIn + bytesIn,
        bytesOut: before.bytesOut + bytesOut,
      };
    },
    store(object, bytes) {
      if (bytes === undefined) stored.delete(object);
      else stored.set(object, bytes);
    },
    forgetStored: () => stored.clear(),
  };
}
