import type { Delivery, Outgoing } from "../../state/outbox";
import { useTools } from "../tools";
import { Attachments } from "./Attachments";
import { Markdown } from "./Markdown";

interface Props {
  room: string;
  outbox: readonly Outgoing[];
  self: string;
  names: readonly string[];
  online: boolean;
}

/** Own messages that the server has not confirmed yet. */
export function OutboxView({ room, outbox, self, names, online }: Props) {
  const { dispatch } = useTools();
  if (outbox.length === 0) return null;
  return (
    <section class="outbox" aria-label="Messages being sent">
      {outbox.map(({ id, text, kind, attachments, delivery }) => (
        <div
          key={id}
          class="row unsent"
          data-testid="unsent-message"
          data-status={online ? delivery.is : "waiting"}
        >
          <div class="row-side" />
          <div class="row-main">
            <div class={kind === "action" ? "words action" : "words"}>
              {kind === "action" && <bdi class="said-by">{self}</bdi>}
              {text !== "" && <Markdown text={text} names={names} self={self} />}
            </div>
            <Attachments attachments={attachments} />
            <p class="unsent-status" role={delivery.is === "refused" ? "alert" : undefined}>
              <span>{statusOf(delivery, online)}</span>
              {(delivery.is === "refused" || delivery.is === "delayed") && (
                <>
                  <button
                    type="button"
                    class="link-button"
                    data-testid="retry-send"
                    onClick={() => {
                      dispatch({ type: "retry", room, id });
                    }}
                  >
                    Send again
                  </button>
                  <button
                    type="button"
                    class="link-button"
                    data-testid="discard-unsent"
                    onClick={() => {
                      dispatch({ type: "discard", room, id });
                    }}
                  >
                    Discard
                  </button>
                </>
              )}
            </p>
          </div>
        </div>
      ))}
    </section>
  );
}

function statusOf(delivery: Delivery, online: boolean): string {
  switch (delivery.is) {
    case "waiting":
    case "sending":
      return online ? "Sending…" : "Not sent yet: waiting for the connection.";
    case "delayed":
      return `Not sent yet: ${delivery.problem} Trying again by itself.`;
    case "refused":
      return `Not sent: ${delivery.problem}`;
  }
}
