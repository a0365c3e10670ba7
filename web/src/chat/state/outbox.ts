import { spoken } from "../text/spoken";
import type { Outcome } from "./events";
import type { Delivery, Message, Outgoing } from "./model";

type Outbox = readonly Outgoing[];

/**
 * The room's copy of an own message replaces the one shown as being sent. It is found by its words; where the server
 * changed them, by order among those it has acknowledged.
 */
export function withoutEchoed(outbox: Outbox, echo: Message): Outbox {
  const same = outbox.find(({ text, delivery }) => {
    const { kind, text: words } = spoken(text);
    return wasHandedOver(delivery) && kind === echo.kind && words === echo.text.trim();
  });
  const echoed = same ?? outbox.find(({ delivery }) => delivery.is === "accepted");
  return echoed === undefined ? outbox : withoutOutgoing(outbox, echoed.id);
}

/** What the room owes an answer for, or has refused, never comes back as a copy of something still waiting here. */
function wasHandedOver(delivery: Delivery): boolean {
  return delivery.is === "sending" || delivery.is === "accepted" || delivery.is === "unconfirmed";
}

export function withoutOutgoing(outbox: Outbox, id: number): Outbox {
  return outbox.filter((outgoing) => outgoing.id !== id);
}

export function withDelivery(outbox: Outbox, id: number, delivery: Delivery): Outbox {
  return outbox.map((outgoing) => (outgoing.id === id ? { ...outgoing, delivery } : outgoing));
}

export function deliveryAfter(outcome: Outcome): Delivery {
  switch (outcome.is) {
    case "accepted":
      return { is: "accepted" };
    case "refused":
      return { is: "refused", problem: outcome.problem };
    case "unanswered":
      return { is: "unconfirmed" };
  }
}

/** Messages that would be lost, or stay in doubt, if the page forgot them now. */
export function unsent(outbox: Outbox): Outbox {
  return outbox.filter(({ delivery }) => delivery.is !== "accepted");
}
