import type { Message } from "../../protocol";

interface Props {
  message: Message;
  self: string;
  react: (message: Message, emoji: string, on: boolean) => void;
}

export function Reactions({ message, self, react }: Props) {
  const { reactions = [] } = message;
  if (reactions.length === 0) return null;
  return (
    <div class="reactions" data-testid="reactions">
      {reactions.map(({ emoji, names }) => {
        const own = names.includes(self);
        return (
          <button
            key={emoji}
            type="button"
            class="reaction"
            aria-pressed={own}
            aria-label={`${emoji} ${names.length}: ${names.join(", ")}`}
            title={names.join(", ")}
            data-testid="reaction"
            data-emoji={emoji}
            data-count={names.length}
            onClick={() => {
              react(message, emoji, !own);
            }}
          >
            {emoji} <span>{names.length}</span>
          </button>
        );
      })}
    </div>
  );
}
