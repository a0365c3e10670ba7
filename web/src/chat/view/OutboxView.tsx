import type { Delivery, Outgoing } from "../state/model";
import type { Dispatch } from "../store";
import { spoken } from "../text/spoken";
import { MessageText } from "./MessageText";

interface Props {
  room: string;
  outbox: readonly Outgoing[];
  dispatch: Dispatch;
}

/** Own messages that the room has not shown us yet. */
export function OutboxView({ room, outbox, dispatch }: Props) {
  if (outbox.length === 0) return null;
  return (
    <section class="said own outbox" aria-label="Messages being sent">
      {outbox.map((outgoing) => (
        <div
          key={outgoing.id}
          class="outgoing"
          data-testid="unsent-message"
          data-status={outgoing.delivery.is}
        >
          <p class="message" dir="auto">
            <MessageText text={spoken(outgoing.text).text} />
          </p>
          <p class="outgoing-status">
            {status(outgoing.delivery)}
            {needsDecision(outgoing.delivery) && (
              <>
                <button
                  type="button"
                  class="link-button"
                  data-testid="retry-send"
                  onClick={() => {
                    dispatch({ type: "retry", room, id: outgoing.id });
                  }}
                >
                  Send again
                </button>
                <button
                  type="button"
                  class="link-button"
                  data-testid="discard-unsent"
                  onClick={() => {
                    dispatch({ type: "discard", room, id: outgoing.id });
                  }}
                >
                  Discard
                </button>
              </>
            )}
          </p>
        </div>
      ))}
    </section>
  );
}

function needsDecision(delivery: Delivery): boolean {
  return delivery.is === "unconfirmed" || delivery.is === "refused";
}

function status(delivery: Delivery): string {
  switch (delivery.is) {
    case "waiting":
      return "Not sent yet: waiting for the connection";
    case "sending":
    case "accepted":
      return "";
    case "unconfirmed":
      return "Perhaps not sent: no answer came.";
    case "refused":
      return `Not sent: ${delivery.problem}`;
  }
}
