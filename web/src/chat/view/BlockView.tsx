import type { Message, Notice } from "../state/model";
import type { Block } from "../text/blocks";
import { clockTime, dayName, exactTime } from "../text/times";
import { Avatar } from "./Avatar";
import { MessageText } from "./MessageText";

export function BlockView({ block }: { block: Block }) {
  switch (block.type) {
    case "day":
      return <p class="day-mark">{dayName(block.at, Date.now())}</p>;
    case "new":
      return <p class="new-mark">New</p>;
    case "gap":
      return (
        <p class="gap-mark" data-testid="gap">
          Connected anew. What was said meanwhile may be missing here.
        </p>
      );
    case "notices":
      return <Notices notices={block.notices} />;
    case "messages":
      return <Messages messages={block.messages} />;
  }
}

/** What one person said in one go: the name and the time once, then the messages. */
function Messages({ messages }: { messages: readonly [Message, ...Message[]] }) {
  const [first] = messages;
  if (first.kind === "action") return <Action message={first} />;
  return (
    <section class={first.own ? "said own" : "said"}>
      {!first.own && <Avatar user={first.user} />}
      <header>
        {first.own ? <span class="visually-hidden">You</span> : <bdi class="said-by">{first.user}</bdi>}
        <time dateTime={new Date(first.at).toISOString()} title={exactTime(first.at)}>
          {clockTime(first.at)}
        </time>
      </header>
      {messages.map((message) => (
        <p
          key={message.id}
          class="message"
          dir="auto"
          title={exactTime(message.at)}
          data-testid="message"
          data-user={message.user}
          data-kind={message.kind}
          data-own={message.own}
        >
          <MessageText text={message.text} />
        </p>
      ))}
    </section>
  );
}

function Action({ message }: { message: Message }) {
  return (
    <p
      class="action"
      dir="auto"
      title={exactTime(message.at)}
      data-testid="message"
      data-user={message.user}
      data-kind="action"
      data-own={message.own}
    >
      <bdi class="said-by">{message.user}</bdi> <MessageText text={message.text} />
    </p>
  );
}

/** In a busy room only the last of a long run matter. */
const NOTICES_SHOWN = 6;

function Notices({ notices }: { notices: readonly Notice[] }) {
  const hidden = Math.max(0, notices.length - NOTICES_SHOWN);
  return (
    <p class="notices">
      {hidden > 0 && <span class="notice">{hidden} more came and went</span>}
      {notices.slice(hidden).map((notice) => (
        <span
          key={notice.id}
          class="notice"
          title={notice.reason === null ? exactTime(notice.at) : `${exactTime(notice.at)}: ${notice.reason}`}
          data-testid="notice"
          data-user={notice.user}
          data-kind={notice.change}
        >
          <bdi>{notice.user}</bdi> {notice.change}
        </span>
      ))}
    </p>
  );
}
