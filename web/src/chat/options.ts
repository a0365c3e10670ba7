import type { Transport } from "./protocol";

/** What the address of the page asks for, for tests and for the curious. */
export interface Options {
  /** `?transport=polling` or `?transport=websocket`: nothing but that one. */
  readonly transports: readonly Transport[] | null;
}

export function optionsFrom(query: string): Options {
  const transport = new URLSearchParams(query).get("transport");
  return { transports: transport === "polling" || transport === "websocket" ? [transport] : null };
}
