import { ask, client, connect, heard, type Client, type Transport } from "../harness/client.ts";
import { DEFAULT_DEADLINE_MS, within } from "../harness/wait.ts";

export interface Person {
  id: string;
  user: string;
}

export interface Told extends Person {
  room: string;
  message: string;
  kind: "text" | "action";
}

export interface Placement {
  ingress: string;
  owner: string;
  transport: string;
}

export interface Welcome {
  user: string;
  rooms: string[];
  limits: { message: number };
}

export type Answer =
  | { ok: true; members?: Person[]; rooms?: { room: string; members: number }[] }
  | { ok: false; error: string };

let rooms = 0;

/** A room in which nobody has been, so that no test hears people of another who are still leaving. */
export function emptyRoom(): string {
  rooms += 1;
  return `room ${rooms}`;
}

/** A person in the chat, on the stock client. */
export class Guest {
  readonly name: string;
  readonly socket: Client;
  readonly welcome: Promise<Welcome>;
  placement: Placement | undefined;

  private constructor(name: string, socket: Client) {
    this.name = name;
    this.socket = socket;
    this.welcome = heard<[Welcome]>(socket, "welcome").then(([welcome]) => welcome);
    this.welcome.catch(() => undefined);
    socket.on("placement", (placement: Placement) => {
      this.placement = placement;
    });
  }

  /** Signs in; rejects with what the server says when it refuses. */
  static async signIn(url: string, name: unknown, transport: Transport = "upgrade"): Promise<Guest> {
    const guest = new Guest(String(name), client(`${url}/chat`, transport, { auth: { name } }));
    await connect(guest.socket);
    return guest;
  }

  get id(): string {
    return this.socket.id ?? "";
  }

  get person(): Person {
    return { id: this.id, user: this.name };
  }

  async request(event: string, ...args: unknown[]): Promise<Answer> {
    return (await ask(this.socket, event, ...args)) as Answer;
  }

  join(room: string): Promise<Answer> {
    return this.request("join room", { room });
  }

  leave(room: string): Promise<Answer> {
    return this.request("leave room", { room });
  }

  say(room: string, message: string): Promise<Answer> {
    return this.request("chat message", { room, message });
  }

  /** The next event of this name that is the wanted one; events of the chat have one argument. */
  async next<T>(
    event: string,
    wanted: (value: T) => boolean = () => true,
    deadline = DEFAULT_DEADLINE_MS,
  ): Promise<T> {
    const arrives = new Promise<T>((resolve) => {
      const listener = (value: T) => {
        if (!wanted(value)) return;
        this.socket.off(event, listener);
        resolve(value);
      };
      this.socket.on(event, listener);
    });
    return within(deadline, `event ${event}`, arrives);
  }

  /** Gathers events of this name from now on. */
  gather<T>(event: string): T[] {
    const gathered: T[] = [];
    this.socket.on(event, (value: T) => gathered.push(value));
    return gathered;
  }
}
