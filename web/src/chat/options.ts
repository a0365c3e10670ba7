import type { Transport } from "./protocol";

/** What the address of the page asks for. */
export interface Options {
  /** `?transport=polling` or `?transport=websocket`: nothing but that one, for tests and for the curious. */
  readonly transports: readonly Transport[] | null;
  /** `?room=`: the room to be opened first, from a notification whose page was gone. */
  readonly room: string | null;
}

export function optionsFrom(query: string): Options {
  const asked = new URLSearchParams(query);
  const transport = asked.get("transport");
  return {
    transports: transport === "polling" || transport === "websocket" ? [transport] : null,
    room: asked.get("room"),
  };
}
