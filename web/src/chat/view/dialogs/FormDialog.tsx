import { useId, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { Answer } from "../../protocol";
import { Dialog } from "./Dialog";

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly type?: "text" | "password" | "date";
  readonly hint?: string;
  readonly required?: boolean;
  readonly initial?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly max?: string;
  readonly autoComplete?: string;
  readonly suggestions?: readonly string[];
}

type Values = Readonly<Record<string, string>>;

interface Props {
  title: string;
  testId: string;
  lead?: ComponentChildren;
  fields?: readonly Field[];
  button: string;
  danger?: boolean;
  /** Does what the dialog is for; a problem is shown, and the dialog stays. */
  submit: (values: Values) => Promise<Answer>;
  done?: () => void;
  close: () => void;
}

/** A question with fields: asked, answered, and closed when what it asks for is done. */
export function FormDialog({ title, testId, lead, fields = [], button, danger, submit, done, close }: Props) {
  const [values, setValues] = useState<Values>(() =>
    Object.fromEntries(fields.map(({ name, initial = "" }) => [name, initial])),
  );
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const id = useId();

  const run = async () => {
    setBusy(true);
    setProblem("");
    const answer = await submit(values);
    setBusy(false);
    if (!answer.ok) {
      setProblem(answer.error.message);
      return;
    }
    close();
    done?.();
  };

  return (
    <Dialog title={title} testId={testId} close={close}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void run();
        }}
      >
        {lead !== undefined && <p class="dialog-lead">{lead}</p>}
        {fields.map((field, place) => (
          <div key={field.name} class="form-field">
            <label for={`${id}-${field.name}`}>{field.label}</label>
            <Input
              field={field}
              id={`${id}-${field.name}`}
              problem={`${id}-problem`}
              value={values[field.name] ?? ""}
              first={place === 0}
              change={(value) => {
                setValues({ ...values, [field.name]: value });
              }}
            />
            {field.suggestions && (
              <datalist id={`${id}-${field.name}-list`}>
                {field.suggestions.map((suggestion) => (
                  <option key={suggestion} value={suggestion} />
                ))}
              </datalist>
            )}
            <p id={`${id}-${field.name}-hint`} class="form-hint">
              {field.hint}
            </p>
          </div>
        ))}
        <p id={`${id}-problem`} class="problem" role="alert" data-testid="dialog-problem">
          {problem}
        </p>
        <div class="dialog-actions">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button
            type="submit"
            class={danger === true ? "primary danger" : "primary"}
            data-testid="dialog-submit"
            disabled={busy}
          >
            {busy ? "One moment…" : button}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface InputProps {
  field: Field;
  id: string;
  /** The id of what describes a problem. */
  problem: string;
  value: string;
  first: boolean;
  change: (value: string) => void;
}

function Input({ field, id, problem, value, first, change }: InputProps) {
  const common = {
    id,
    "data-testid": `field-${field.name}`,
    value,
    onInput: (event: { currentTarget: HTMLInputElement }) => {
      change(event.currentTarget.value);
    },
    autoFocus: first,
    required: field.required ?? true,
    minLength: field.minLength,
    maxLength: field.maxLength,
    max: field.max,
    autoComplete: field.autoComplete ?? "off",
    dir: "auto",
    "aria-describedby": `${id}-hint ${problem}`,
  } as const;
  switch (field.type) {
    case "password":
      return <input type="password" {...common} />;
    case "date":
      return <input type="date" {...common} />;
    default:
      return field.suggestions === undefined ? (
        <input type="text" {...common} />
      ) : (
        <input type="text" role="combobox" list={`${id}-list`} {...common} />
      );
  }
}
