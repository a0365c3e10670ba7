/** What the events of `/status/feed` say; the node's `lookout.rs` is the other side. */

/** The first of all. */
export interface Hello {
  /** The node that looks. */
  readonly node: string;
  /** Whether the chat is at the same address. */
  readonly public: boolean;
}

export type Transport = "polling" | "websocket";

/** Where a session is: its tag, the node that owns it, the node its client reached, and how; null while it is away. */
export type Row = readonly [tag: number, owner: string, ingress: string, transport: Transport | null];

/** Changes of the picture `from`, or all of the picture if that is null. */
export interface SessionsTold {
  readonly version: string;
  readonly from: string | null;
  readonly seen: readonly Row[];
  readonly ended: readonly number[];
}

export type Phase = "joining" | "up" | "leaving";

/** What a member counts of its sessions; null if it was silent. */
export interface Counts {
  readonly owned: number;
  readonly attached: number;
  readonly moving: number;
  readonly moved_in: number;
  readonly moved_out: number;
  readonly revived: number;
  readonly recovered: number;
}

export interface Member {
  readonly name: string;
  readonly incarnation: number;
  readonly phase: Phase;
  readonly http: string;
  readonly shards: number;
  readonly sessions: Counts | null;
}

export interface MembersTold {
  /** The version of the sessions' picture at that time. */
  readonly version: string | null;
  /** The node that looked. */
  readonly node: string;
  readonly members: readonly Member[];
}
