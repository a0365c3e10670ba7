import type { Member, MembersTold, Phase, Row, SessionsTold } from "./protocol";

/** `a>b` is a session that a owns, with its client at b; without b at a. Tags count from 1. */
export function rows(...sessions: string[]): Row[] {
  return sessions.map((text, index) => {
    const [owner = "", ingress = owner] = text.split(">");
    return [index + 1, owner, ingress, "websocket"];
  });
}

export function whole(version: string, seen: Row[]): SessionsTold {
  return { version, from: null, seen, ended: [] };
}

export function changes(from: string, version: string, seen: Row[], ended: number[] = []): SessionsTold {
  return { version, from, seen, ended };
}

export function member(name: string, phase: Phase = "up", incarnation = 1): Member {
  return { name, phase, incarnation, http: `${name}:80`, shards: 1, sessions: null };
}

export function members(...list: Member[]): MembersTold {
  return { version: null, node: "a", members: list };
}
