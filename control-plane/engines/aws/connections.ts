import type { System } from "../../ports/system.ts";
import { pause } from "./pause.ts";
import type { AwsPlace } from "./place.ts";
import { createHeaderSigner } from "./signer.ts";

/** The connections that API Gateway keeps for a WebSocket API. */
export interface Connections {
  /** `gone`: there is no such connection, or it is not there yet; `slow`: its reader does not take it. */
  post(id: string, text: string): Promise<"sent" | "gone" | "slow">;
  /** Of one that is gone already, too. */
  end(id: string): Promise<void>;
}

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 100;
const REQUEST_MS = 2_000;

/** `url`: of the API's stage. Signed requests alone: the SDK's client would add more than it does here. */
export function openConnections(
  place: AwsPlace,
  url: string,
  system: Pick<System, "now" | "log">,
): Connections {
  const sign = createHeaderSigner(place, "execute-api");

  /** The status, 0 when nothing answered. */
  async function call(method: "DELETE" | "POST", id: string, body: string): Promise<number> {
    const target = new URL(`${url}/@connections/${encodeURIComponent(id)}`);
    const headers = await sign({ method, url: target, body, at: new Date(system.now()) });
    const signal = AbortSignal.timeout(REQUEST_MS);
    try {
      const answer = await fetch(target, {
        ...{ method, headers, signal },
        ...(method === "POST" ? { body } : {}),
      });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return 0;
    }
  }

  return {
    async post(id, text) {
      for (let attempt = 1; ; attempt++) {
        const status = await call("POST", id, text);
        if (status >= 200 && status < 300) return "sent";
        if (status === 410) return "gone";
        if (status !== 0 && status !== 429 && status < 500) {
          // Of us, or of this one message: another try would be no better.
          system.log("API Gateway refused a message", { error: status, connection: id });
          return status === 413 ? "sent" : "slow";
        }
        if (attempt === ATTEMPTS) return "slow";
        await pause(FIRST_PAUSE_MS * 2 ** attempt * (0.5 + Math.random()));
      }
    },
    async end(id) {
      const status = await call("DELETE", id, "");
      if (status !== 410 && (status < 200 || status >= 300)) {
        system.log("API Gateway did not end a connection", { error: status, connection: id });
      }
    },
  };
}
