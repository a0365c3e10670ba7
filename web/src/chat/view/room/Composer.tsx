import "./composer.css";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { AttachIcon, CloseIcon, SendIcon } from "../../../shared/icons";
import type { Chatting, Composing, Room } from "../../state/model";
import { attachmentsOf } from "../../state/attaching";
import { roomTitle } from "../../state/within";
import { byteLength } from "../../text/bytes";
import { summary } from "../../text/summary";
import type { Note } from "./Note";
import { UploadList } from "./UploadList";
import { useCommands } from "./useCommands";
import { useCompletion } from "./useCompletion";
import { pastedFiles } from "./useFiles";
import { useTools } from "../tools";

interface Props {
  state: Chatting;
  room: Room;
  names: readonly string[];
  attach: (files: Iterable<File>) => void;
  setNote: (note: Note | null) => void;
}

/** The part of the limit from which on the rest is shown. */
const NEARLY_FULL = 0.8;

const LIST = "completion";

/** Where messages are written. To be keyed by the room: it takes the focus when a room is opened. */
export function Composer({ state, room, names, attach, setNote }: Props) {
  const { dispatch } = useTools();
  const field = useRef<HTMLTextAreaElement>(null);
  const id = room.membership.room;
  const { draft, composing } = room;
  const [caret, setCaret] = useState(draft.length);
  const submit = useCommands({ state, room, setNote });
  const completion = useCompletion({ text: draft, caret, names });
  const left = state.limits.messageBytes - byteLength(draft.trim());
  const title = roomTitle(room.membership);
  const { limits } = state;
  const takesFiles = composing.is !== "edit" && limits.uploadBytes > 0 && limits.attachments > 0;
  const attached = composing.is === "edit" ? null : attachmentsOf(room.uploads);
  const incomplete = composing.is !== "edit" && attached === null;
  const empty = draft.trim() === "" && (attached === null || attached.length === 0);

  const write = (text: string, at: number) => {
    dispatch({ type: "draft changed", room: id, draft: text, at: Date.now() });
    setCaret(at);
  };
  const accept = (place: number) => {
    const done = completion.accept(place);
    if (done === null) return;
    write(done.text, done.caret);
    const element = field.current;
    if (element === null) return;
    // The field has its new text by now, for the state is drawn at once.
    element.focus();
    element.setSelectionRange(done.caret, done.caret);
  };

  const editing = composing.is === "new" ? "new" : `${composing.is} ${target(composing)}`;
  useEffect(() => {
    // Where there is no keyboard, focus would raise one over half of the page.
    if (editing !== "new" || matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, [editing]);

  useLayoutEffect(() => {
    const element = field.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [draft]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (completion.onKey(event.key)) {
      event.preventDefault();
      event.stopPropagation();
      if (event.key === "Enter" || event.key === "Tab") accept(completion.chosen);
      return;
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void submit();
    } else if (event.key === "Escape" && composing.is !== "new") {
      event.preventDefault();
      dispatch({ type: "compose new", room: id });
    } else if (event.key === "ArrowUp" && draft === "" && !event.altKey) {
      event.preventDefault();
      dispatch({ type: "edit last", room: id });
    }
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
        field.current?.focus();
      }}
    >
      {completion.suggestions.length > 0 && (
        <ul class="completion" role="listbox" id={LIST} aria-label="Ways to go on" data-testid="completion">
          {completion.suggestions.map(({ label, hint }, place) => (
            <li
              key={label}
              id={`${LIST}-${place}`}
              role="option"
              aria-selected={place === completion.chosen}
              onPointerDown={(event) => {
                event.preventDefault();
                accept(place);
              }}
            >
              <bdi>{label}</bdi>
              <span>{hint}</span>
            </li>
          ))}
        </ul>
      )}
      {composing.is !== "edit" && <UploadList room={id} uploads={room.uploads} />}
      <Mode composing={composing} room={id} />
      <div class="composer-field">
        {takesFiles && <AttachButton attach={attach} />}
        <textarea
          id="composer"
          ref={field}
          rows={1}
          value={draft}
          onInput={(event) => {
            write(event.currentTarget.value, event.currentTarget.selectionStart);
          }}
          onSelect={(event) => {
            setCaret(event.currentTarget.selectionStart);
          }}
          onKeyDown={onKeyDown}
          onPaste={(event) => {
            const files = pastedFiles(event);
            if (files.length === 0) return;
            event.preventDefault();
            attach(files);
          }}
          dir="auto"
          enterkeyhint="send"
          aria-label={`Message to ${title}`}
          aria-invalid={left < 0}
          aria-describedby="composer-hint"
          aria-autocomplete="list"
          aria-controls={completion.suggestions.length > 0 ? LIST : undefined}
          aria-activedescendant={
            completion.suggestions.length > 0 ? `${LIST}-${completion.chosen}` : undefined
          }
          placeholder={`Message ${title}`}
          data-testid="message-input"
        />
        <button
          type="submit"
          class="send"
          aria-label={composing.is === "edit" ? "Save" : "Send"}
          title={composing.is === "edit" ? "Save" : "Send"}
          disabled={left < 0 || incomplete || empty}
          data-testid="send-button"
        >
          <SendIcon />
        </button>
      </div>
      <p id="composer-hint" class={left < 0 ? "composer-hint problem" : "composer-hint"}>
        {left < state.limits.messageBytes * (1 - NEARLY_FULL) && (
          <span data-testid="message-room-left">
            {left < 0 ? `${-left} bytes too long` : `${left} bytes left`}
          </span>
        )}
      </p>
    </form>
  );
}

/** Opens the browser's way to choose files. */
function AttachButton({ attach }: { attach: (files: Iterable<File>) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class="icon-button"
        aria-label="Add files"
        title="Add files"
        data-testid="add-files"
        onClick={() => input.current?.click()}
      >
        <AttachIcon />
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        data-testid="file-input"
        onChange={(event) => {
          attach(event.currentTarget.files ?? []);
          // The same file may be chosen again.
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}

/** Whether it is a reply or an edit, and the way out of that. */
function Mode({ composing, room }: { composing: Composing; room: string }) {
  const { dispatch } = useTools();
  if (composing.is === "new") return null;
  const message = composing.is === "reply" ? composing.to : composing.message;
  return (
    <div class="composer-mode" data-testid="composer-mode" data-mode={composing.is}>
      <p>
        {composing.is === "reply" ? (
          <>
            Reply to <bdi>{message.author.name}</bdi>:{" "}
          </>
        ) : (
          "Edit: "
        )}
        <span dir="auto">{summary(message)}</span>
      </p>
      <button
        type="button"
        class="icon-button small"
        aria-label={composing.is === "reply" ? "Do not reply" : "Do not edit"}
        onClick={() => {
          dispatch({ type: "compose new", room });
        }}
      >
        <CloseIcon />
      </button>
    </div>
  );
}

function target(composing: Exclude<Composing, { is: "new" }>): number {
  return (composing.is === "reply" ? composing.to : composing.message).number;
}
