import { useEffect, useRef, useState } from "preact/hooks";
import type { Message } from "../../protocol";
import type { Room } from "../../state/model";
import { roomTitle } from "../../state/within";
import { summary } from "../../text/summary";
import { clockTime, shortDate } from "../../text/times";
import { useTools } from "../tools";
import type { Drawer } from "../useDrawer";

interface Found {
  readonly query: string;
  readonly messages: readonly Message[];
  readonly more: boolean;
}

/** Finds messages of the room; a hit leads to its place among the others. */
export function Search({ room, drawer }: { room: Room; drawer: Drawer }) {
  const { request, dispatch } = useTools();
  const [query, setQuery] = useState("");
  const [found, setFound] = useState<Found | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const id = room.membership.room;

  useEffect(() => {
    field.current?.focus();
  }, []);

  const look = async (sought: string, before: readonly Message[]) => {
    if (sought === "") return;
    const last = before.at(-1);
    setBusy(true);
    const answer = await request("message.search", {
      room: id,
      query: sought,
      ...(last && { before: last.number }),
    });
    setBusy(false);
    setProblem(answer.ok ? "" : answer.error.message);
    if (answer.ok) {
      setFound({ query: sought, messages: [...before, ...answer.messages], more: answer.more });
    }
  };

  return (
    <div class="side-body search">
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          void look(query.trim(), []);
        }}
      >
        <input
          ref={field}
          type="search"
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
          }}
          aria-label={`Search in ${roomTitle(room.membership)}`}
          placeholder={`Search in ${roomTitle(room.membership)}`}
          data-testid="search-input"
          enterkeyhint="search"
          dir="auto"
        />
      </form>
      <p class="problem" role="alert" data-testid="search-problem">
        {problem}
      </p>
      <p class="search-status" role="status" data-testid="search-status">
        {busy ? "Searching…" : found === null ? "" : countOf(found)}
      </p>
      <ul class="hits" data-testid="hits">
        {found?.messages.map((message) => (
          <li key={message.number}>
            <button
              type="button"
              class="hit"
              data-testid="hit"
              data-number={message.number}
              onClick={() => {
                drawer.close();
                dispatch({ type: "jump", room: id, number: message.number });
              }}
            >
              <span class="hit-head">
                <bdi>{message.author.name}</bdi>
                <time dateTime={new Date(message.time).toISOString()}>
                  {shortDate(message.time)}, {clockTime(message.time)}
                </time>
              </span>
              <span class="hit-text" dir="auto">
                <Marked text={summary(message)} query={found.query} />
              </span>
            </button>
          </li>
        ))}
      </ul>
      {found?.more === true && (
        <button type="button" class="hits-more" onClick={() => void look(found.query, found.messages)}>
          Show older hits
        </button>
      )}
    </div>
  );
}

function countOf({ messages, more, query }: Found): string {
  if (messages.length === 0) return `Nothing found for “${query}”.`;
  return `${messages.length}${more ? "+" : ""} ${messages.length === 1 ? "hit" : "hits"}, newest first`;
}

/** The words that were sought, marked in a text. */
function Marked({ text, query }: { text: string; query: string }) {
  const words = query.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "");
  if (words.length === 0) return <>{text}</>;
  const parts = text.split(new RegExp(`(${words.join("|")})`, "giu"));
  return <>{parts.map((part, place) => (place % 2 === 1 ? <mark key={place}>{part}</mark> : part))}</>;
}
