import { useEffect, useState } from "preact/hooks";
import { LONGEST_NAME, type Webhook } from "../../protocol";
import type { Room } from "../../state/model";
import { roomTitle } from "../../state/within";
import { useTools } from "../tools";
import { Copyable } from "./Copyable";
import { Dialog } from "./Dialog";

interface Props {
  room: Room;
  close: () => void;
}

interface Made {
  readonly name: string;
  readonly url: string;
}

/** The programs that may speak in a room: each by an address of its own, which is shown when it is made and never again. */
export function Webhooks({ room: { membership }, close }: Props) {
  const { request } = useTools();
  const [webhooks, setWebhooks] = useState<readonly Webhook[] | null>(null);
  const [made, setMade] = useState<Made | null>(null);
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const { room } = membership;

  useEffect(() => {
    void request("webhook.list", { room }).then((answer) => {
      if (answer.ok) setWebhooks(answer.webhooks);
      else setProblem(answer.error.message);
    });
  }, [request, room]);

  const create = async () => {
    setBusy(true);
    const answer = await request("webhook.create", { room, name });
    setBusy(false);
    setProblem(answer.ok ? "" : answer.error.message);
    if (!answer.ok) return;
    setWebhooks((before) => [...(before ?? []), answer.webhook]);
    setMade({ name: answer.webhook.name, url: `${location.origin}${answer.path}` });
    setName("");
  };
  const remove = async ({ id }: Webhook) => {
    const answer = await request("webhook.delete", { room, id });
    const gone = answer.ok || answer.error.code === "not_found";
    setProblem(gone ? "" : answer.error.message);
    if (gone) setWebhooks((before) => before?.filter((other) => other.id !== id) ?? null);
  };

  return (
    <Dialog title={`Webhooks of ${roomTitle(membership)}`} testId="webhooks-dialog" close={close}>
      <p class="dialog-lead">
        A program that posts <code>{'{"text": "…"}'}</code> as JSON to the address of a webhook speaks in this
        room. Who has the address needs nothing else.
      </p>
      {webhooks !== null && webhooks.length > 0 && (
        <ul class="webhooks" aria-label="Webhooks">
          {webhooks.map((webhook) => (
            <WebhookItem key={webhook.id} webhook={webhook} remove={() => remove(webhook)} />
          ))}
        </ul>
      )}
      {webhooks?.length === 0 && <p class="webhooks-none">There is none yet.</p>}
      {made !== null && (
        <Copyable
          label={`The address of ${made.name}, shown this once:`}
          text={made.url}
          testId="webhook-url"
        />
      )}
      <form
        class="form webhook-new"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void create();
        }}
      >
        <div class="form-field">
          <label for="webhook-name">Name of a new one</label>
          <input
            id="webhook-name"
            type="text"
            value={name}
            onInput={(event) => {
              setName(event.currentTarget.value);
            }}
            required
            maxLength={LONGEST_NAME}
            autoComplete="off"
            autoFocus
            dir="auto"
            aria-describedby="webhook-problem"
            data-testid="webhook-name"
          />
        </div>
        <p id="webhook-problem" class="problem" role="alert" data-testid="dialog-problem">
          {problem}
        </p>
        <div class="dialog-actions">
          <button type="submit" class="primary" disabled={busy} data-testid="make-webhook">
            {busy ? "One moment…" : "Make a webhook"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** One webhook. A program that uses it fails once it is deleted, so the first click only asks. */
function WebhookItem({ webhook: { name }, remove }: { webhook: Webhook; remove: () => Promise<void> }) {
  const [asking, setAsking] = useState(false);
  return (
    <li data-testid="webhook" data-name={name}>
      <bdi>{name}</bdi>
      {asking && (
        <button
          type="button"
          onClick={() => {
            setAsking(false);
          }}
        >
          Keep
        </button>
      )}
      <button
        type="button"
        class={asking ? "primary danger" : ""}
        aria-label={`Delete ${name}`}
        data-testid={asking ? "confirm-delete-webhook" : "delete-webhook"}
        onClick={() => {
          if (asking) void remove();
          else setAsking(true);
        }}
      >
        {asking ? "Delete for good" : "Delete"}
      </button>
    </li>
  );
}
