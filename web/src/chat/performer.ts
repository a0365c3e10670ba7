import type { Account } from "./account";
import { type Connection, NO_ANSWER } from "./connection";
import type { Person, Problem } from "./protocol";
import type { Command, Event } from "./state/events";
import type { Uploads } from "./uploads";

/** Before it is asked again who is signed in, in milliseconds. */
const ASK_AGAIN = 2_000;

/** Problems that pass: what failed of them is asked for again. */
const RETRIED: ReadonlySet<string> = new Set([NO_ANSWER, "limited", "unavailable"]);

interface Tools {
  readonly account: Account;
  readonly connection: Connection;
  readonly uploads: Uploads;
  readonly dispatch: (event: Event) => void;
  /** What was kept for the person, and the room that this tab had open. */
  readonly recall: (name: string) => Pick<Extract<Event, { type: "signed in" }>, "kept" | "activeRoom">;
  readonly notify: (command: Extract<Command, { type: "notify" }>) => void;
}

/** Carries out what `update` wants done, and reports what comes of it. */
export class Performer {
  #asking: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly tools: Tools) {}

  readonly perform = (command: Command): void => {
    const { connection } = this.tools;
    switch (command.type) {
      case "ask who is signed in":
        clearTimeout(this.#asking);
        this.#asking = setTimeout(() => void this.#askWho(), command.later ? ASK_AGAIN : 0);
        break;
      case "connect":
        connection.connect();
        break;
      case "disconnect":
        connection.disconnect();
        this.tools.uploads.forgetAll();
        break;
      case "tell typing":
        connection.tellTyping(command.room);
        break;
      case "notify":
        this.tools.notify(command);
        break;
      case "load history":
        void this.#loadHistory(command);
        break;
      case "load changes":
        void this.#loadChanges(command);
        break;
      case "send":
        void this.#send(command);
        break;
      case "upload":
        void this.#upload(command);
        break;
      case "forget file":
        this.tools.uploads.forget(command.id);
        break;
      case "edit":
        void this.#edit(command);
        break;
      case "mark read":
        void this.#markRead(command);
        break;
      case "list presence":
        void this.#listPresence(command);
        break;
      case "list members":
        void this.#listMembers(command);
        break;
    }
  };

  async #askWho(): Promise<void> {
    const { account, dispatch, recall } = this.tools;
    const answer = await account.session();
    if (!answer.ok) dispatch({ type: "session unknown", problem: answer.error.message });
    else if (answer.person === null) dispatch({ type: "nobody signed in", guests: answer.guests });
    else dispatch({ type: "signed in", person: answer.person, ...recall(answer.person.name) });
  }

  async #loadHistory({ room, ask, part }: Extract<Command, { type: "load history" }>): Promise<void> {
    const answer = await this.tools.connection.request("message.history", { room, ...part });
    if (answer.ok) this.tools.dispatch({ type: "history loaded", room, ask, page: answer });
    else this.tools.dispatch({ type: "history failed", room, ask, problem: spoken(answer.error) });
  }

  async #loadChanges({ room, since, parts }: Extract<Command, { type: "load changes" }>): Promise<void> {
    const answer = await this.tools.connection.request("message.changes", { room, since });
    if (answer.ok) {
      const { messages, changed, more } = answer;
      this.tools.dispatch({ type: "changes loaded", room, messages, changed, more, parts });
    } else if (RETRIED.has(answer.error.code)) {
      this.tools.dispatch({ type: "changes failed", room });
    }
  }

  async #send({ room, outgoing }: Extract<Command, { type: "send" }>): Promise<void> {
    const { id, text, kind, replyTo, attachments } = outgoing;
    const answer = await this.tools.connection.request("message.send", {
      room,
      id,
      text,
      kind,
      ...(replyTo && { replyTo: replyTo.number }),
      ...(attachments.length > 0 && { attachments: attachments.map((attachment) => attachment.id) }),
    });
    const at = Date.now();
    if (answer.ok) {
      const { number, time } = answer;
      this.tools.dispatch({ type: "send answered", room, id, result: { is: "stored", number, time }, at });
    } else {
      const silent = answer.error.code === NO_ANSWER;
      const result = silent ? ({ is: "silence" } as const) : ({ is: "error", error: answer.error } as const);
      this.tools.dispatch({ type: "send answered", room, id, result, at });
    }
  }

  async #upload({ room, id }: Extract<Command, { type: "upload" }>): Promise<void> {
    const { uploads, dispatch } = this.tools;
    const answer = await uploads.send(id, room, (sent) => {
      dispatch({ type: "upload progressed", room, id, sent });
    });
    if (answer === null) return;
    const result = answer.ok ? { attachment: answer.upload } : { problem: answer.error.message };
    dispatch({ type: "upload ended", room, id, result });
  }

  async #edit({ room, number, text }: Extract<Command, { type: "edit" }>): Promise<void> {
    const answer = await this.tools.connection.request("message.edit", { room, number, text });
    if (answer.ok) this.tools.dispatch({ type: "message changed", message: answer.message });
    else this.tools.dispatch({ type: "edit failed", room, number, text, problem: answer.error.message });
  }

  async #markRead({ room, number }: Extract<Command, { type: "mark read" }>): Promise<void> {
    const answer = await this.tools.connection.request("room.read", { room, number });
    if (answer.ok)
      this.tools.dispatch({ type: "read answered", room, read: answer.read, unread: answer.unread });
    else if (RETRIED.has(answer.error.code)) this.tools.dispatch({ type: "read untold", room, number });
  }

  async #listPresence({ room, most }: Extract<Command, { type: "list presence" }>): Promise<void> {
    const persons: Person[] = [];
    let after: string | undefined;
    do {
      const answer = await this.tools.connection.request("presence.list", { room, ...(after && { after }) });
      if (!answer.ok) {
        this.#peopleFailed(room, answer.error);
        return;
      }
      persons.push(...answer.persons);
      after = persons.length < most ? answer.next : undefined;
      if (after === undefined) {
        this.tools.dispatch({
          type: "presence listed",
          room,
          persons: persons.slice(0, most),
          count: answer.count,
        });
      }
    } while (after !== undefined);
  }

  async #listMembers({ room, after }: Extract<Command, { type: "list members" }>): Promise<void> {
    const answer = await this.tools.connection.request("room.members", {
      room,
      ...(after !== null && { after }),
    });
    if (answer.ok) {
      const { members, next = null } = answer;
      this.tools.dispatch({ type: "members listed", room, after, members, next });
    } else if (after === null) {
      this.#peopleFailed(room, answer.error);
    } else {
      this.tools.dispatch({ type: "toast", text: answer.error.message });
    }
  }

  #peopleFailed(room: string, { code }: Problem): void {
    if (RETRIED.has(code)) this.tools.dispatch({ type: "people failed", room });
  }
}

/** Null when there was no answer: the lost connection says enough. */
function spoken({ code, message }: Problem): string | null {
  return code === NO_ANSWER ? null : message;
}
