import "./composer.css";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { SendIcon } from "../../shared/icons";
import type { Room } from "../state/model";
import type { Dispatch } from "../store";
import { byteLength } from "../text/bytes";

interface Props {
  room: Room;
  /** In bytes of UTF-8. */
  messageLimit: number;
  dispatch: Dispatch;
}

/** The part of the limit from which on the rest is shown. */
const NEARLY_FULL = 0.8;

/** To be keyed by the room: it takes the focus when a room is opened. */
export function Composer({ room, messageLimit, dispatch }: Props) {
  const field = useRef<HTMLTextAreaElement>(null);
  const left = messageLimit - byteLength(room.draft.trim());
  const tooLong = left < 0;

  useEffect(() => {
    // Where there is no keyboard, focus would raise one over half of the page.
    if (matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, []);

  useLayoutEffect(() => {
    const element = field.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [room.draft]);

  const send = () => {
    dispatch({ type: "send", room: room.name, at: Date.now() });
    field.current?.focus();
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="composer-field">
        <textarea
          id="composer"
          ref={field}
          rows={1}
          value={room.draft}
          onInput={(event) => {
            dispatch({ type: "draft changed", room: room.name, draft: event.currentTarget.value });
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
          dir="auto"
          enterkeyhint="send"
          aria-label={`Message to ${room.name}`}
          aria-invalid={tooLong}
          aria-describedby="composer-hint"
          placeholder={`Message ${room.name}`}
          data-testid="message-input"
        />
        <button
          type="submit"
          class="send"
          aria-label="Send"
          title="Send"
          disabled={tooLong || room.draft.trim() === ""}
          data-testid="send-button"
        >
          <SendIcon />
        </button>
      </div>
      <p id="composer-hint" class={tooLong ? "composer-hint problem" : "composer-hint"}>
        {left < messageLimit * (1 - NEARLY_FULL) ? (
          <span data-testid="message-room-left">
            {tooLong ? `${-left} bytes too long` : `${left} bytes left`}
          </span>
        ) : (
          <span class="composer-keys">
            <kbd>Enter</kbd> sends · <kbd>Shift</kbd>+<kbd>Enter</kbd> new line · <kbd>Alt</kbd>+<kbd>↑</kbd>
            <kbd>↓</kbd> other rooms · <kbd>/me</kbd> acts
          </span>
        )}
      </p>
    </form>
  );
}
