/**
 * What outlives the page: drafts, and messages that the server has not confirmed, each under a key of its own, so that
 * two tabs of one person do not overwrite each other. A message that two tabs send has one id, and is stored once.
 */

import type { Kept, State } from "./state/model";
import type { Outgoing } from "./state/outbox";
import { parseOutgoing } from "./state/outgoingFormat";

const DRAFT = "hither.draft/";
const UNSENT = "hither.unsent/";
const ROOM = "hither.room";

export class Keeping {
  /** What this page has written, by key. */
  readonly #written = new Map<string, string>();

  constructor(
    private readonly storage: () => Storage,
    private readonly tabStorage: () => Storage,
  ) {}

  /** What is kept for a person, and the room that this tab had open. */
  recall(name: string): { kept: Kept[]; activeRoom: string | null } {
    return (
      ifAllowed(() => ({ kept: this.#kept(name), activeRoom: this.tabStorage().getItem(ROOM) })) ?? {
        kept: [],
        activeRoom: null,
      }
    );
  }

  /** Brings storage into line with the state. While the rooms are not known, what is kept stays. */
  keep(state: State): void {
    if (state.phase !== "chatting" || !state.welcomed) return;
    const wanted = new Map<string, string>();
    const owner = ownerKey(state.person.name);
    for (const { membership, draft, composing, outbox } of state.rooms) {
      const text = composing.is === "edit" ? composing.draft : draft;
      if (text !== "") wanted.set(`${DRAFT}${owner}/${membership.room}`, text);
      for (const outgoing of outbox) {
        wanted.set(`${UNSENT}${owner}/${outgoing.id}`, formatted(membership.room, outgoing));
      }
    }
    ifAllowed(() => {
      const storage = this.storage();
      for (const key of this.#written.keys()) {
        if (wanted.has(key)) continue;
        storage.removeItem(key);
        this.#written.delete(key);
      }
      for (const [key, value] of wanted) {
        if (this.#written.get(key) === value) continue;
        storage.setItem(key, value);
        this.#written.set(key, value);
      }
      if (state.activeRoom !== null) this.tabStorage().setItem(ROOM, state.activeRoom);
    });
  }

  /** Who signs out leaves nothing behind. */
  forget(name: string): void {
    ifAllowed(() => {
      for (const key of this.#keys(name)) this.storage().removeItem(key);
      this.tabStorage().removeItem(ROOM);
      this.#written.clear();
    });
  }

  #keys(name: string): string[] {
    const storage = this.storage();
    const owner = ownerKey(name);
    const all = Array.from({ length: storage.length }, (_, place) => storage.key(place) ?? "");
    return all.filter((key) => key.startsWith(`${DRAFT}${owner}/`) || key.startsWith(`${UNSENT}${owner}/`));
  }

  #kept(name: string): Kept[] {
    const rooms = new Map<string, { draft: string; outbox: Outgoing[] }>();
    const inRoom = (room: string) => {
      const known = rooms.get(room) ?? { draft: "", outbox: [] };
      rooms.set(room, known);
      return known;
    };
    for (const key of this.#keys(name)) {
      const value = this.storage().getItem(key) ?? "";
      this.#written.set(key, value);
      if (key.startsWith(DRAFT)) {
        inRoom(key.slice(key.indexOf("/", DRAFT.length) + 1)).draft = value;
      } else {
        const read = parseOutgoing(value);
        if (read !== null) inRoom(read.room).outbox.push(read.outgoing);
      }
    }
    return [...rooms].map(([room, { draft, outbox }]) => ({
      room,
      draft,
      outbox: outbox.sort((a, b) => a.at - b.at),
    }));
  }
}

function formatted(room: string, { id, text, kind, replyTo, attachments, at, delivery }: Outgoing): string {
  const refused = delivery.is === "refused" ? delivery.problem : null;
  return JSON.stringify({ room, id, text, kind, replyTo, attachments, at, refused });
}

/** Names of one person in another case are one key; a slash would end it. */
function ownerKey(name: string): string {
  return encodeURIComponent(name.toLocaleLowerCase());
}

/** A browser may deny storage; then the chat works, and a refresh forgets what was not sent. */
function ifAllowed<Result>(access: () => Result): Result | null {
  try {
    return access();
  } catch (error) {
    console.warn("This browser keeps nothing of this page:", error);
    return null;
  }
}
