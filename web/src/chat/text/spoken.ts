import type { MessageKind } from "../protocol";

export interface Spoken {
  readonly kind: MessageKind;
  readonly text: string;
}

/** How the server will read what was typed: `/me waves` is the action "waves". */
export function spoken(typed: string): Spoken {
  const text = typed.trim();
  const action = /^\/me\s+(.+)$/su.exec(text)?.[1];
  return action === undefined ? { kind: "text", text } : { kind: "action", text: action };
}
