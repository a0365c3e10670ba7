/**
 * Own messages that the server has not confirmed. Each has an id of its own, by which the server knows a repetition, so
 * everything can be sent again until it is answered. They leave in the order in which they were written.
 */

import type { Attachment, Problem, Quote } from "../protocol";

export interface Outgoing {
  readonly id: string;
  readonly text: string;
  readonly kind: "text" | "action";
  readonly replyTo: Quote | null;
  readonly attachments: readonly Attachment[];
  /** When it was written, by the reader's clock: for the order only. */
  readonly at: number;
  readonly delivery: Delivery;
}

export type Delivery =
  /** Goes out by itself when it can. */
  | { readonly is: "waiting" }
  | { readonly is: "sending" }
  /** The server could not take it just now; goes out again at `until` by itself. */
  | { readonly is: "delayed"; readonly problem: string; readonly until: number }
  /** The server does not take it as it is. The writer decides. */
  | { readonly is: "refused"; readonly problem: string };

/** How a request to send ended. `silence`: no answer in time. */
export type SendResult =
  { readonly is: "stored" } | { readonly is: "error"; readonly error: Problem } | { readonly is: "silence" };

export type Outbox = readonly Outgoing[];

/** Per room; when it is full, a message stays in the composer, with the reason. */
export const OUTBOX_LIMIT = 100;

/** Without another word of the server, in milliseconds. */
const RETRY_AFTER = 2_000;

/** The one to be sent now: the first, as long as nothing is under way or delayed before it. */
export function nextToSend(outbox: Outbox): Outgoing | null {
  const first = outbox.find(({ delivery }) => delivery.is !== "refused");
  return first?.delivery.is === "waiting" ? first : null;
}

export function withDelivery(outbox: Outbox, id: string, delivery: Delivery): Outbox {
  return outbox.map((outgoing) => (outgoing.id === id ? { ...outgoing, delivery } : outgoing));
}

export function withoutOutgoing(outbox: Outbox, id: string): Outbox {
  return outbox.some((outgoing) => outgoing.id === id)
    ? outbox.filter((outgoing) => outgoing.id !== id)
    : outbox;
}

export function afterResult(outbox: Outbox, id: string, result: SendResult, now: number): Outbox {
  switch (result.is) {
    case "stored":
      return withoutOutgoing(outbox, id);
    case "silence":
      return withDelivery(outbox, id, { is: "waiting" });
    case "error":
      return withDelivery(outbox, id, afterError(result.error, now));
  }
}

/** What the server cannot do now it may do later; anything else it will never do. */
function afterError({ code, message, retryAfterMs }: Problem, now: number): Delivery {
  const later = code === "limited" || code === "unavailable";
  return later
    ? { is: "delayed", problem: message, until: now + (retryAfterMs ?? RETRY_AFTER) }
    : { is: "refused", problem: message };
}

/** The connection is gone: what was under way has no answer, and is sent again. */
export function afterDisconnect(outbox: Outbox): Outbox {
  return outbox.some(({ delivery }) => delivery.is === "sending")
    ? outbox.map((outgoing) =>
        outgoing.delivery.is === "sending" ? { ...outgoing, delivery: { is: "waiting" } } : outgoing,
      )
    : outbox;
}

/** What was delayed until now waits no longer. */
export function afterTime(outbox: Outbox, now: number): Outbox {
  const due = ({ delivery }: Outgoing) => delivery.is === "delayed" && delivery.until <= now;
  return outbox.some(due)
    ? outbox.map((outgoing) => (due(outgoing) ? { ...outgoing, delivery: { is: "waiting" } } : outgoing))
    : outbox;
}
