import type { Entry, Gap, Message, Notice } from "../state/model";

/** What is shown as one piece in the list of messages. `key` stays the same while the block grows at its end. */
export type Block =
  | { readonly type: "day"; readonly key: string; readonly at: number }
  | { readonly type: "new"; readonly key: string }
  | { readonly type: "messages"; readonly key: string; readonly messages: readonly [Message, ...Message[]] }
  | { readonly type: "notices"; readonly key: string; readonly notices: readonly Notice[] }
  | { readonly type: "gap"; readonly key: string; readonly gap: Gap };

/** A pause after which the same person's name and time are shown again, in milliseconds. */
const PAUSE = 5 * 60_000;

/** Puts together what one person said in one go, and who came and went; marks days and where the unread begins. */
export function blocks(entries: readonly Entry[], newFrom: number | null): Block[] {
  const found: Block[] = [];
  let previous: Entry | undefined;
  for (const entry of entries) {
    if (previous === undefined || day(previous.at) !== day(entry.at)) {
      found.push({ type: "day", key: `day ${entry.id}`, at: entry.at });
    }
    if (entry.id === newFrom) found.push({ type: "new", key: "new" });
    const grown = grow(found.at(-1), entry);
    if (grown === null) found.push(begin(entry));
    else found[found.length - 1] = grown;
    previous = entry;
  }
  return found;
}

function begin(entry: Entry): Block {
  const key = `from ${entry.id}`;
  switch (entry.type) {
    case "message":
      return { type: "messages", key, messages: [entry] };
    case "notice":
      return { type: "notices", key, notices: [entry] };
    case "gap":
      return { type: "gap", key, gap: entry };
  }
}

function grow(block: Block | undefined, entry: Entry): Block | null {
  if (block?.type === "notices" && entry.type === "notice") {
    return { ...block, notices: [...block.notices, entry] };
  }
  if (block?.type === "messages" && entry.type === "message" && continues(block.messages, entry)) {
    return { ...block, messages: [...block.messages, entry] };
  }
  return null;
}

function continues(messages: readonly [Message, ...Message[]], next: Message): boolean {
  const last = messages.at(-1) ?? messages[0];
  return last.from === next.from && last.kind === "text" && next.kind === "text" && next.at - last.at < PAUSE;
}

function day(at: number): string {
  return new Date(at).toDateString();
}
