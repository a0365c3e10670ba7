import { useEffect, useRef, useState } from "preact/hooks";
import type { FoundRoom } from "../../protocol";
import { useTools } from "../tools";
import { useWish } from "./wishes";
import { Dialog } from "./Dialog";
import { useEnter } from "./RoomDialogs";

/** Between the last key and the search, in milliseconds. */
const SETTLED = 200;

interface Found {
  readonly rooms: readonly FoundRoom[];
  readonly next: string | null;
}

/** Public rooms: found by name or topic, joined with one click. */
export function BrowseRooms({ close }: { close: () => void }) {
  const { request, dispatch } = useTools();
  const wish = useWish();
  const enter = useEnter();
  const [query, setQuery] = useState("");
  const [found, setFound] = useState<Found | null>(null);
  const [problem, setProblem] = useState("");
  const latest = useRef(0);

  const look = async (sought: string, after: string | null, before: readonly FoundRoom[]) => {
    const place = ++latest.current;
    const answer = await request("room.list", {
      ...(sought.trim() !== "" && { query: sought.trim() }),
      ...(after !== null && { after }),
    });
    if (place !== latest.current) return;
    if (answer.ok) setFound({ rooms: [...before, ...answer.rooms], next: answer.next ?? null });
    setProblem(answer.ok ? "" : answer.error.message);
  };

  useEffect(() => {
    const timer = setTimeout(() => void look(query, null, []), query === "" ? 0 : SETTLED);
    return () => {
      clearTimeout(timer);
    };
    // `look` is new each time, and does the same.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [query]);

  const pick = async (room: FoundRoom) => {
    if (room.joined) {
      close();
      dispatch({ type: "open room", room: room.room });
      return;
    }
    const answer = await request("room.join", { room: room.room });
    if (answer.ok) {
      close();
      enter(answer.membership);
    } else {
      setProblem(answer.error.message);
    }
  };

  return (
    <Dialog title="Find rooms" testId="browse-dialog" close={close} wide>
      <form
        class="browse-search"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          const [first] = found?.rooms ?? [];
          if (first !== undefined) void pick(first);
        }}
      >
        <input
          type="search"
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
          }}
          autoFocus
          aria-label="Search rooms"
          placeholder="Search rooms by name or topic"
          data-testid="browse-query"
          dir="auto"
        />
        <button
          type="button"
          data-testid="new-room"
          onClick={() => {
            close();
            wish({ is: "create room", name: query.trim() });
          }}
        >
          New room
        </button>
      </form>
      <p class="problem" role="alert" data-testid="dialog-problem">
        {problem}
      </p>
      <ul class="browse-rooms" data-testid="browse-rooms">
        {found?.rooms.map((room) => (
          <li key={room.room}>
            <button
              type="button"
              class="browse-room"
              data-testid="found-room"
              data-room={room.name}
              onClick={() => void pick(room)}
            >
              <span class="browse-room-text">
                <bdi class="browse-room-name">#{room.name}</bdi>
                <span class="browse-room-topic" dir="auto">
                  {room.topic === "" ? "No topic yet" : room.topic}
                </span>
              </span>
              <span class="browse-room-size">
                {room.members} {room.members === 1 ? "member" : "members"}
              </span>
              <span class={room.joined ? "browse-room-joined" : "browse-room-join"}>
                {room.joined ? "Open" : "Join"}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {found?.rooms.length === 0 && (
        <p class="browse-none">
          No public room matches. Private rooms are not listed: they need an invitation.
        </p>
      )}
      {found?.next != null && (
        <button type="button" class="browse-more" onClick={() => void look(query, found.next, found.rooms)}>
          Show more
        </button>
      )}
    </Dialog>
  );
}
