import type { Chatting, Room } from "../../state/model";
import { roomTitle } from "../../state/within";
import { readTyped } from "../../text/commands";
import { type EmojiList, loadEmoji, withEmoji } from "../../text/emoji";
import { useWish } from "../dialogs/wishes";
import { useTools } from "../tools";
import type { Note } from "./Note";

interface Props {
  state: Chatting;
  room: Room;
  setNote: (note: Note | null) => void;
}

/** Carries out what was typed: says it, or does what the command asks for. What goes wrong is said, and stays typed. */
export function useCommands({ state, room, setNote }: Props): () => Promise<void> {
  const { dispatch, request, account } = useTools();
  const wish = useWish();
  const { membership, draft, composing } = room;
  const id = membership.room;
  const clear = () => {
    dispatch({ type: "draft changed", room: id, draft: "", at: Date.now() });
  };
  /** Clears what was typed when it is done, or says why it is not. */
  const settle = (answer: { ok: true } | { ok: false; error: { message: string } }, done: Note) => {
    if (answer.ok) clear();
    setNote(answer.ok ? done : { title: answer.error.message, lines: [], problem: true });
  };

  return async () => {
    const typed =
      composing.is === "edit"
        ? ({ is: "message", kind: "text", text: draft.trim() } as const)
        : readTyped(draft);
    setNote(null);
    switch (typed.is) {
      case "nothing":
        // Files need no words.
        dispatch({ type: "send", room: id, text: "", kind: "text", id: crypto.randomUUID(), at: Date.now() });
        break;
      case "wrong":
        setNote({ title: typed.problem, lines: [], problem: true });
        break;
      case "message": {
        const text = typed.text.includes(":") ? withEmoji(typed.text, await emojiIfThere()) : typed.text;
        dispatch({ type: "send", room: id, text, kind: typed.kind, id: crypto.randomUUID(), at: Date.now() });
        break;
      }
      case "help":
        clear();
        wish({ is: "help" });
        break;
      case "who": {
        const answer = await request("presence.list", { room: id });
        const names = answer.ok ? answer.persons.map(({ name }) => name).sort() : [];
        const title = answer.ok ? `${answer.count} here now` : "";
        settle(answer, { title, lines: [names.join(", ")] });
        break;
      }
      case "topic": {
        const answer = await request("room.topic", { room: id, topic: typed.topic });
        settle(answer, { title: "The topic is changed.", lines: [] });
        break;
      }
      case "invite": {
        const answer = await request("room.invite", { room: id, name: typed.name });
        settle(answer, { title: `${typed.name} is invited to ${roomTitle(membership)}.`, lines: [] });
        break;
      }
      case "nick": {
        if (state.person.kind !== "guest") {
          setNote({
            title: "Only guests can change their name; yours belongs to your account.",
            lines: [],
            problem: true,
          });
          break;
        }
        const answer = await account.guest(typed.name);
        if (answer.ok) dispatch({ type: "person changed", person: answer.person });
        settle(answer, { title: `You are now called ${answer.ok ? answer.person.name : ""}.`, lines: [] });
        break;
      }
    }
  };
}

/** Without the list, short names stay as they were typed. */
async function emojiIfThere(): Promise<EmojiList> {
  try {
    return await loadEmoji();
  } catch (error) {
    console.warn("The list of emoji cannot be loaded:", error);
    return [];
  }
}
