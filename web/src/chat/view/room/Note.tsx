import { CloseIcon } from "../../../shared/icons";

/** What a command answers, to the person alone. */
export interface Note {
  readonly title: string;
  readonly lines: readonly string[];
  readonly problem?: boolean;
}

export function NoteView({ note, dismiss }: { note: Note; dismiss: () => void }) {
  return (
    <div class={note.problem === true ? "note problem" : "note"} role="status" data-testid="note">
      <div>
        <strong dir="auto">{note.title}</strong>
        {note.lines.length > 0 && (
          <ul>
            {note.lines.map((line) => (
              <li key={line} dir="auto">
                {line}
              </li>
            ))}
          </ul>
        )}
      </div>
      <button type="button" class="icon-button small" aria-label="Dismiss" onClick={dismiss}>
        <CloseIcon />
      </button>
    </div>
  );
}
