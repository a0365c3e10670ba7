import type { Attachment, Quote } from "../protocol";
import type { Outgoing } from "./outbox";

/** Reads a kept message; null for anything else, such as what another version wrote. */
export function parseOutgoing(written: string): { room: string; outgoing: Outgoing } | null {
  const value = parsed(written);
  if (!isRecord(value)) return null;
  const { room, id, text, kind, replyTo, attachments, at, refused } = value;
  if (typeof room !== "string" || typeof id !== "string" || typeof text !== "string") return null;
  if ((kind !== "text" && kind !== "action") || typeof at !== "number") return null;
  if (!(replyTo === null || isQuote(replyTo)) || !(refused === null || typeof refused === "string"))
    return null;
  if (!Array.isArray(attachments) || !attachments.every(isAttachment)) return null;
  const delivery =
    refused === null ? ({ is: "waiting" } as const) : ({ is: "refused", problem: refused } as const);
  return { room, outgoing: { id, text, kind, replyTo, attachments, at, delivery } };
}

function parsed(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    return null;
  }
}

function isQuote(value: unknown): value is Quote {
  return isRecord(value) && typeof value["number"] === "number";
}

function isAttachment(value: unknown): value is Attachment {
  return isRecord(value) && ["id", "name", "type"].every((field) => typeof value[field] === "string");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
