/** What a line that begins with a slash asks for. */

export interface CommandInfo {
  readonly name: "me" | "nick" | "who" | "topic" | "invite" | "help";
  readonly usage: string;
  readonly does: string;
}

/** All commands, in the order in which help lists them. */
export const COMMANDS: readonly CommandInfo[] = [
  { name: "me", usage: "/me waves", does: "says what you do" },
  { name: "who", usage: "/who", does: "lists who is here" },
  { name: "topic", usage: "/topic What this room is about", does: "sets the topic" },
  { name: "invite", usage: "/invite Ada", does: "invites somebody to this room" },
  { name: "nick", usage: "/nick Grace", does: "changes your name, as a guest" },
  { name: "help", usage: "/help", does: "shows all of this" },
];

/** What was typed, once it is sent. */
export type Typed =
  | { readonly is: "message"; readonly kind: "text" | "action"; readonly text: string }
  | { readonly is: "nick"; readonly name: string }
  | { readonly is: "who" }
  | { readonly is: "topic"; readonly topic: string }
  | { readonly is: "invite"; readonly name: string }
  | { readonly is: "help" }
  | { readonly is: "nothing" }
  /** A command that cannot be carried out as it stands; `problem` says why, and what would be right. */
  | { readonly is: "wrong"; readonly problem: string };

/** Two slashes at the start stand for one that begins no command. */
export function readTyped(typed: string): Typed {
  const text = typed.trim();
  if (text === "") return { is: "nothing" };
  if (text.startsWith("//")) return { is: "message", kind: "text", text: text.slice(1) };
  const [, name, rest = ""] = /^\/([a-z]+)(?:\s+([\s\S]*))?$/iu.exec(text) ?? [];
  if (name === undefined) return { is: "message", kind: "text", text };
  const words = rest.trim();
  const info = COMMANDS.find((command) => command.name === name.toLowerCase());
  switch (info?.name) {
    case "me":
      return words === "" ? incomplete(info) : { is: "message", kind: "action", text: words };
    case "nick":
      return words === "" ? incomplete(info) : { is: "nick", name: words };
    case "invite":
      return words === "" ? incomplete(info) : { is: "invite", name: words.replace(/^@/u, "") };
    case "topic":
      return { is: "topic", topic: words };
    case "who":
    case "help":
      return { is: info.name };
    case undefined:
      return {
        is: "wrong",
        problem: `There is no command /${name}. /help lists all; // begins a text with a slash.`,
      };
  }
}

function incomplete({ usage }: CommandInfo): Typed {
  return { is: "wrong", problem: `Something is missing, for instance: ${usage}` };
}
