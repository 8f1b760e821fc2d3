import type { AwsPlace } from "../../../control-plane/engines/aws/place.ts";
import { createSigner } from "../../../control-plane/engines/aws/signer.ts";
import type { AwsService } from "./sigv4.ts";

export interface UrlToSign {
  readonly service: AwsService;
  readonly method: string;
  /** With the query that is to be signed. */
  readonly url: string;
  readonly headers?: Record<string, string>;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly expiresInSeconds?: number;
}

/** A presigned URL as the control plane makes them: by the SDK's signer. */
export async function signedUrl(
  { region, credentials }: Pick<AwsPlace, "region" | "credentials">,
  { service, method, url, headers = {}, at, expiresInSeconds = 900 }: UrlToSign,
): Promise<string> {
  const place = { region, credentials, table: "", bucket: "", passesQueueUrl: "", queuePrefix: "" };
  const sign = createSigner(place, service);
  return await sign({ method, url: new URL(url), headers, expiresInSeconds, at: new Date(at) });
}
