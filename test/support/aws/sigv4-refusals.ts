import { AwsRefusal } from "./exchange.ts";

type Why =
  | "anonymous"
  | "malformed"
  | "malformedQuery"
  | "unknownKey"
  | "token"
  | "scope"
  | "skewed"
  | "unsignedHeader"
  | "mismatch";

const MISMATCH =
  "The request signature we calculated does not match the signature you provided. Check your key and signing method.";

/** Status, code and words by service. Where a detail is given, it is the message or follows it. */
const REFUSALS: Record<"s3" | "sqs", Record<Why, readonly [number, string, string]>> = {
  s3: {
    anonymous: [403, "AccessDenied", "Access Denied"],
    malformed: [400, "AuthorizationHeaderMalformed", "The authorization header is malformed."],
    malformedQuery: [
      400,
      "AuthorizationQueryParametersError",
      "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters. Wrong:",
    ],
    unknownKey: [
      403,
      "InvalidAccessKeyId",
      "The AWS Access Key Id you provided does not exist in our records.",
    ],
    token: [400, "InvalidToken", "The provided token is malformed or otherwise invalid."],
    scope: [400, "AuthorizationHeaderMalformed", "The authorization header is malformed;"],
    skewed: [
      403,
      "RequestTimeTooSkewed",
      "The difference between the request time and the current time is too large.",
    ],
    unsignedHeader: [
      403,
      "AccessDenied",
      "There were headers present in the request which were not signed:",
    ],
    mismatch: [403, "SignatureDoesNotMatch", MISMATCH],
  },
  sqs: {
    anonymous: [403, "AccessDenied", "Access to the resource is denied."],
    malformed: [403, "IncompleteSignature", "The request signature does not conform to standards."],
    malformedQuery: [
      403,
      "IncompleteSignature",
      "The request signature does not conform to standards:",
    ],
    unknownKey: [
      403,
      "InvalidClientTokenId",
      "The security token included in the request is invalid.",
    ],
    token: [403, "InvalidClientTokenId", "The security token included in the request is invalid."],
    scope: [403, "SignatureDoesNotMatch", ""],
    skewed: [403, "SignatureDoesNotMatch", ""],
    unsignedHeader: [
      403,
      "SignatureDoesNotMatch",
      "There were headers present in the request which were not signed:",
    ],
    mismatch: [403, "SignatureDoesNotMatch", MISMATCH],
  },
};

/** The refusal as the service words it. */
export function refuseSignature(
  service: "s3" | "sqs" | "execute-api",
  why: Why,
  detail = "",
): AwsRefusal {
  const [status, code, message] = REFUSALS[service === "s3" ? "s3" : "sqs"][why];
  return new AwsRefusal(status, code, `${message} ${detail}`.trim());
}

/** Epoch milliseconds of `20260102T030405Z`, or undefined. */
export function instantOf(compact: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(compact);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const instant = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(instant) ? undefined : instant;
}

/** `20260102T030405Z` of epoch milliseconds. */
export const compactTime = (instant: number): string =>
  new Date(instant).toISOString().replaceAll(/[-:]|\.\d+/g, "");
