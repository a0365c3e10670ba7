import type { Message } from "../protocol";
import { plainText } from "./markdown/plain";

/** A message in a line: its text without marks, or the files that it consists of. */
export function summary({ text, attachments = [] }: Pick<Message, "text" | "attachments">): string {
  return text === "" ? attachments.map(({ name }) => name).join(", ") : plainText(text);
}
