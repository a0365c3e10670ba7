/** Accounts and login sessions over HTTP. The login session itself is a cookie that scripts cannot read. */

import { isAnswer, notUnderstood, unreachable } from "./answers";
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
    const answer: unknown = isJson(response) ? await response.json() : null;
    if (isAnswer<Content>(answer)) return answer;
    return notUnderstood(response.status);
  } catch (error) {
    console.warn(`${method} /api/${path} has failed:`, error);
    return unreachable();
  }
}

function isJson({ headers }: Response): boolean {
  return headers.get("Content-Type")?.startsWith("application/json") ?? false;
}
