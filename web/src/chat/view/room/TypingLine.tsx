import type { Typist } from "../../state/model";

export function TypingLine({ typing }: { typing: readonly Typist[] }) {
  return (
    <p class="typing" aria-live="off" data-testid="typing">
      {typing.length > 0 && (
        <>
          <span class="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {sentence(typing.map(({ name }) => name))}
        </>
      )}
    </p>
  );
}

function sentence(names: readonly string[]): string {
  const [first = "", second = ""] = names;
  if (names.length === 1) return `${first} is typing…`;
  if (names.length === 2) return `${first} and ${second} are typing…`;
  return "Several people are typing…";
}
