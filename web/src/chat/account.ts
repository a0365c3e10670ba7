/** Accounts and login sessions over HTTP. The login session itself is a cookie that scripts cannot read. */

import type { Answer, Person } from "./protocol";

/** In milliseconds; a password is slow to check, on purpose. */
const TIMEOUT = 15_000;

export interface WhoIs {
  readonly person: Person | null;
  /** Whether guests are let in. */
  readonly guests: boolean;
}

type SignedIn = Answer<{ person: Person }>;

export const account = {
  session: (): Promise<Answer<WhoIs>> => ask<WhoIs>("GET", "session"),
  signUp: (name: string, password: string): Promise<SignedIn> => post("session/sign-up", { name, password }),
  signIn: (name: string, password: string): Promise<SignedIn> => post("session/sign-in", { name, password }),
  /** Also renames a guest who is signed in. */
  guest: (name: string): Promise<SignedIn> => post("session/guest", { name }),
  signOut: (): Promise<Answer> => post("session/sign-out", {}),
  signOutEverywhere: (): Promise<Answer> => post("session/sign-out-everywhere", {}),
  changePassword: (current: string, next: string): Promise<Answer> =>
    post("account/password", { current, new: next }),
  remove: (password: string): Promise<Answer> => post("account/delete", { password }),
  token: (): Promise<Answer<{ token: string }>> => post("account/token", {}),
  revokeToken: (): Promise<Answer> => post("account/token/revoke", {}),
} as const;

export type Account = typeof account;

function post<Content>(path: string, body: object): Promise<Answer<Content>> {
  return ask<Content>("POST", path, body);
}

/** Never fails: that no node answers is an answer of its own, which can be shown as any other. */
async function ask<Content>(method: string, path: string, body?: object): Promise<Answer<Content>> {
  try {
    const response = await fetch(`/api/${path}`, {
      method,
      credentials: "same-origin",
      signal: AbortSignal.timeout(TIMEOUT),
      ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
    const answer: unknown = await response.json();
    if (isAnswer<Content>(answer)) return answer;
    return failure("bad_answer", `The server's answer (${response.status}) was not understood.`);
  } catch (error) {
    console.warn(`${method} /api/${path} has failed:`, error);
    return failure("no_answer", "The server cannot be reached just now. Please try again.");
  }
}

function isAnswer<Content>(value: unknown): value is Answer<Content> {
  return typeof value === "object" && value !== null && "ok" in value && typeof value.ok === "boolean";
}

function failure(code: string, message: string): { ok: false; error: { code: string; message: string } } {
  return { ok: false, error: { code, message } };
}
