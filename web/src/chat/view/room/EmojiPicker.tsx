import { useEffect, useRef, useState } from "preact/hooks";
import { type EmojiList, findEmoji, loadEmoji, QUICK_REACTIONS } from "../../text/emoji";

interface Props {
  pick: (emoji: string) => void;
  close: () => void;
}

const SHOWN = 48;

/** A reaction: one of a few with one click, any other by its name. */
export function EmojiPicker({ pick, close }: Props) {
  const [emoji, setEmoji] = useState<EmojiList>([]);
  const [sought, setSought] = useState("");
  const root = useRef<HTMLDivElement>(null);

  useEffect(() => {
    loadEmoji().then(setEmoji, (error: unknown) => {
      console.warn("The list of emoji cannot be loaded:", error);
    });
    root.current?.querySelector("button")?.focus();
    const onPointer = (event: Event) => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) close();
    };
    document.addEventListener("pointerdown", onPointer);
    return () => {
      document.removeEventListener("pointerdown", onPointer);
    };
  }, [close]);

  const choice = (character: string, name: string) => (
    <button
      key={name}
      type="button"
      aria-label={name}
      title={name}
      data-testid="emoji"
      data-emoji={character}
      onClick={() => {
        pick(character);
        close();
      }}
    >
      {character}
    </button>
  );

  return (
    <div
      class="emoji-picker"
      role="dialog"
      aria-label="React"
      ref={root}
      data-testid="emoji-picker"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        close();
      }}
    >
      <div class="emoji-row">{QUICK_REACTIONS.map((character) => choice(character, character))}</div>
      <input
        type="search"
        value={sought}
        onInput={(event) => {
          setSought(event.currentTarget.value);
        }}
        aria-label="Find an emoji"
        placeholder="Find an emoji"
        data-testid="emoji-search"
      />
      {sought !== "" && (
        <div class="emoji-grid">
          {findEmoji(emoji, sought, SHOWN).map(({ character, name }) => choice(character, name))}
        </div>
      )}
    </div>
  );
}
