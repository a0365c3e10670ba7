import { COMMANDS } from "../../text/commands";
import { Dialog } from "./Dialog";

const KEYS: readonly (readonly [string, string])[] = [
  ["Enter", "sends; with Shift, a new line"],
  ["↑ in an empty field", "edits your last message"],
  ["Alt ↑, Alt ↓", "the room before, the room after"],
  ["Ctrl K", "finds and joins rooms"],
  ["Escape", "closes what is open, ends a reply or an edit"],
  ["↑ ↓ in the messages", "goes from message to message; Tab leads to what can be done with one"],
];

const MARKS: readonly (readonly [string, string])[] = [
  ["**bold**  *italic*  ~~struck~~", "emphasis"],
  ["`code`  and  ``` on lines of their own", "code"],
  ["> at the start of a line", "a quote"],
  ["- or 1. at the start of a line", "a list"],
  ["[words](https://…)", "a link"],
  ["@name", "calls somebody"],
  [":tada:", "an emoji"],
];

export function Help({ close }: { close: () => void }) {
  return (
    <Dialog title="Help" testId="help-dialog" close={close} wide>
      <div class="help">
        <Table title="Commands" rows={COMMANDS.map(({ usage, does }) => [usage, does])} />
        <Table title="Keys" rows={KEYS} />
        <Table title="Writing" rows={MARKS} />
      </div>
    </Dialog>
  );
}

function Table({ title, rows }: { title: string; rows: readonly (readonly [string, string])[] }) {
  return (
    <section>
      <h3>{title}</h3>
      <dl>
        {rows.map(([what, does]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
