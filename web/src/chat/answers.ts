/** What the server answers over HTTP, and what stands for an answer where none has come. */

import type { Answer } from "./protocol";

export function isAnswer<Content>(value: unknown): value is Answer<Content> {
  return typeof value === "object" && value !== null && "ok" in value && typeof value.ok === "boolean";
}

export function failure(
  code: string,
  message: string,
): { ok: false; error: { code: string; message: string } } {
  return { ok: false, error: { code, message } };
}

const UNREACHABLE = "The server cannot be reached just now. Please try again.";

export const unreachable = (): ReturnType<typeof failure> => failure("no_answer", UNREACHABLE);

/** What somebody else on the way has answered, such as a balancer that reaches no node. */
export function notUnderstood(status: number): ReturnType<typeof failure> {
  return status >= 502 && status <= 504
    ? unreachable()
    : failure("bad_answer", `The server's answer (${status}) was not understood.`);
}
