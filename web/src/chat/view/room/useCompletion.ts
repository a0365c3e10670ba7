import { useEffect, useMemo, useState } from "preact/hooks";
import { complete, completingAt, type Suggestion, suggestions } from "../../text/completion";
import { type EmojiList, loadEmoji } from "../../text/emoji";

interface Completion {
  readonly suggestions: readonly Suggestion[];
  readonly chosen: number;
  /** Whether the key was for the list. */
  readonly onKey: (key: string) => boolean;
  readonly accept: (place: number) => { text: string; caret: number } | null;
}

const NONE: readonly Suggestion[] = [];

/** What can be completed where the caret is, and which suggestion is chosen. */
export function useCompletion({
  text,
  caret,
  names,
}: {
  text: string;
  caret: number;
  names: readonly string[];
}): Completion {
  const [emoji, setEmoji] = useState<EmojiList>([]);
  const [chosen, setChosen] = useState(0);
  const [dismissed, setDismissed] = useState<string | null>(null);
  const completing = useMemo(() => completingAt(text, caret), [text, caret]);
  const key = completing === null ? null : `${completing.kind} ${completing.sought}`;
  const found = useMemo(
    () => (completing === null || key === dismissed ? NONE : suggestions(completing, names, emoji)),
    [completing, key, dismissed, names, emoji],
  );

  const needsEmoji = completing?.kind === "emoji" && emoji.length === 0;
  useEffect(() => {
    if (!needsEmoji) return;
    loadEmoji().then(setEmoji, (error: unknown) => {
      console.warn("The list of emoji cannot be loaded:", error);
    });
  }, [needsEmoji]);
  useEffect(() => {
    setChosen(0);
  }, [key]);

  const onKey = (pressed: string): boolean => {
    const count = found.length;
    if (count === 0) return false;
    switch (pressed) {
      case "ArrowDown":
        setChosen((chosen + 1) % count);
        return true;
      case "ArrowUp":
        setChosen((chosen + count - 1) % count);
        return true;
      case "Escape":
        setDismissed(key);
        return true;
      case "Tab":
        return true;
      case "Enter":
        // A command that is there in full is to be carried out.
        return found[chosen]?.insert.trimEnd() !== text.trimEnd();
      default:
        return false;
    }
  };
  const accept = (place: number) => {
    const suggestion = found[place];
    return completing === null || suggestion === undefined ? null : complete(text, completing, suggestion);
  };
  return { suggestions: found, chosen: Math.min(chosen, Math.max(0, found.length - 1)), onKey, accept };
}
