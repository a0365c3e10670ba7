import { randomUUID } from "node:crypto";
import { ask, client, connect, heard, type Client, type Transport } from "../harness/client.ts";
import { send, type Answer as HttpAnswer } from "../harness/http.ts";
import { DEFAULT_DEADLINE_MS, within } from "../harness/wait.ts";

export interface PersonView {
  name: string;
  kind: "member" | "guest" | "webhook" | "server";
}

export interface Membership {
  room: string;
  name: string;
  kind: "public" | "private" | "direct";
  topic: string;
  role: "owner" | "moderator" | "member";
  order: number;
  muted: boolean;
  last: number;
  read: number;
  unread: number;
  peer?: PersonView;
}

export interface Attachment {
  id: string;
  name: string;
  type: string;
  bytes: number;
  width?: number;
  height?: number;
}

export interface Message {
  room: string;
  number: number;
  id: string;
  time: number;
  author: PersonView;
  text: string;
  kind: "text" | "action" | "notice";
  replyTo?: { number: number; author?: string; text?: string };
  edited?: number;
  deleted?: true;
  reactions?: { emoji: string; names: string[] }[];
  attachments?: Attachment[];
  changed?: number;
}

export interface Placement {
  ingress: string;
  owner: string;
  transport: string;
}

export interface Welcome {
  person: PersonView;
  rooms: Membership[];
  invitations: { room: string; name: string; by: string }[];
  limits: { messageBytes: number; rooms: number; uploadBytes: number; attachments: number };
}

export interface Presence {
  room: string;
  count: number;
  joined?: PersonView[];
  left?: PersonView[];
}

export interface Refusal {
  code: string;
  message: string;
  retryAfterMs?: number;
}

/** What any request may be answered. */
export interface Answer {
  ok: boolean;
  error?: Refusal;
  membership?: Membership;
  number?: number;
  time?: number;
  message?: Message;
  messages?: Message[];
  last?: number;
  changed?: number;
  upload?: Attachment;
  more?: { before: boolean; after: boolean } | boolean;
  rooms?: { room: string; name: string; members: number; joined: boolean }[];
  members?: { name: string; kind: string; role: string }[];
  persons?: PersonView[];
  count?: number;
  next?: string;
  unread?: number;
  read?: number;
  path?: string;
  webhook?: { id: string; name: string };
}

export const PASSWORD = "correct horse battery";

let names = 0;

/** A name that nobody else has. */
export function freshName(stem: string): string {
  names += 1;
  return `${stem} ${process.pid} ${names}`;
}

/** One browser: what it was answered last, and its cookie. */
export class Browser {
  cookie = "";
  readonly #url: () => string;

  constructor(url: string | (() => string)) {
    this.#url = typeof url === "string" ? () => url : url;
  }

  get headers(): Record<string, string> {
    return this.cookie ? { cookie: this.cookie } : {};
  }

  async get(path: string): Promise<{ http: HttpAnswer; body: Record<string, unknown> }> {
    const http = await send(`${this.#url()}${path}`, { headers: this.headers });
    return { http, body: JSON.parse(http.text) as Record<string, unknown> };
  }

  async post(
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ http: HttpAnswer; answer: Answer & { person?: PersonView; token?: string } }> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const http = await send(`${this.#url()}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(text)),
        ...this.headers,
        ...headers,
      },
      body: text,
    });
    for (const cookie of http.headers["set-cookie"] ?? []) this.cookie = cookie.split(";")[0] ?? "";
    return { http, answer: JSON.parse(http.text) as Answer };
  }

  /** As {@link post}, and it must be done. */
  async must(path: string, body: unknown): Promise<Answer & { token?: string }> {
    const { answer } = await this.post(path, body);
    if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(answer.error)}`);
    return answer;
  }
}

/** One device of somebody in the chat: a browser that is signed in, and its socket, on the stock client. */
export class Person {
  readonly name: string;
  readonly browser: Browser;
  readonly socket: Client;
  readonly welcome: Promise<Welcome>;
  placement: Placement | undefined;

  private constructor(name: string, browser: Browser, socket: Client) {
    this.name = name;
    this.browser = browser;
    this.socket = socket;
    this.welcome = heard<[Welcome]>(socket, "welcome").then(([welcome]) => welcome);
    this.welcome.catch(() => undefined);
    socket.on("placement", (placement: Placement) => {
      this.placement = placement;
    });
  }

  /** Comes as a guest. */
  static async guest(url: string, name = freshName("guest"), transport?: Transport): Promise<Person> {
    const browser = new Browser(url);
    await browser.must("/api/session/guest", { name });
    return Person.open(url, name, browser, transport);
  }

  /** Signs up. */
  static async member(url: string, name = freshName("member"), transport?: Transport): Promise<Person> {
    const browser = new Browser(url);
    await browser.must("/api/session/sign-up", { name, password: PASSWORD });
    return Person.open(url, name, browser, transport);
  }

  /** Another device of a member. */
  static async signIn(url: string, name: string, transport?: Transport): Promise<Person> {
    const browser = new Browser(url);
    await browser.must("/api/session/sign-in", { name, password: PASSWORD });
    return Person.open(url, name, browser, transport);
  }

  /** Another tab of a browser; rejects with what the server says when it refuses. */
  static async open(
    url: string,
    name: string,
    browser: Browser,
    transport: Transport = "upgrade",
  ): Promise<Person> {
    const socket = client(`${url}/chat`, transport, { extraHeaders: browser.headers });
    const person = new Person(name, browser, socket);
    await connect(socket);
    return person;
  }

  async request(event: string, ...args: unknown[]): Promise<Answer> {
    return (await ask(this.socket, event, ...args)) as Answer;
  }

  /** A request that must be done. */
  async must(event: string, ...args: unknown[]): Promise<Answer> {
    const answer = await this.request(event, ...args);
    if (!answer.ok) throw new Error(`${this.name}: ${event}: ${JSON.stringify(answer.error)}`);
    return answer;
  }

  /** Makes a public room. */
  async create(name = freshName("room"), kind = "public"): Promise<Membership> {
    return membership(await this.must("room.create", { name, kind }));
  }

  async join(room: string): Promise<Membership> {
    return membership(await this.must("room.join", { room }));
  }

  async say(room: string, text: string, more: object = {}): Promise<{ number: number; time: number }> {
    const { number, time } = await this.must("message.send", { room, id: randomUUID(), text, ...more });
    return { number: number ?? 0, time: time ?? 0 };
  }

  /** All that is stored of a room, in order. */
  async history(room: string): Promise<Message[]> {
    const all: Message[] = [];
    for (;;) {
      const after = all.at(-1)?.number ?? 0;
      const { messages = [], more } = await this.must("message.history", { room, after });
      all.push(...messages);
      if (typeof more !== "object" || !more.after) return all;
    }
  }

  async present(room: string): Promise<string[]> {
    const { persons = [] } = await this.must("presence.list", { room });
    return persons.map(({ name }) => name).sort();
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
    return within(deadline, `event ${event} at ${this.name}`, arrives);
  }

  /** Gathers events of this name from now on. */
  gather<T>(event: string): T[] {
    const gathered: T[] = [];
    this.socket.on(event, (value: T) => gathered.push(value));
    return gathered;
  }
}

function membership({ membership }: Answer): Membership {
  if (!membership) throw new Error("a membership was expected");
  return membership;
}
