import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { EditIcon, ReplyIcon, SmileIcon, TrashIcon } from "../../../shared/icons";
import type { Message } from "../../protocol";
import { plainText } from "../../text/markdown/plain";
import { sameName, mentions } from "../../text/mentions";
import { clockTime, exactTime } from "../../text/times";
import { Avatar } from "../Avatar";
import { Attachments } from "./Attachments";
import { EmojiPicker } from "./EmojiPicker";
import { Markdown } from "./Markdown";
import { Reactions } from "./Reactions";

/** What can be done with a message; the same object while nothing about it changes. */
export interface MessageActions {
  readonly reply: (message: Message) => void;
  readonly edit: (message: Message) => void;
  readonly remove: (message: Message) => void;
  readonly react: (message: Message, emoji: string, on: boolean) => void;
  readonly choose: (message: Message | null) => void;
  readonly jump: (number: number) => void;
}

interface Props {
  message: Message;
  first: boolean;
  self: string;
  names: readonly string[];
  /** Owners and moderators may remove what others wrote. */
  moderates: boolean;
  choosing: boolean;
  actions: MessageActions;
}

export function MessageRow({ message, first, self, names, moderates, choosing, actions }: Props) {
  const { number, author, kind, text, time, deleted, edited } = message;
  const [unfolded, setUnfolded] = useState(false);
  const folds = deleted !== true && isLong(text);
  const own = sameName(author.name, self);
  const called = !own && deleted !== true && mentions(text, self);
  const data = {
    "data-testid": "message",
    "data-number": number,
    "data-user": author.name,
    "data-kind": kind,
    "data-own": own,
    "data-deleted": deleted === true,
  };
  if (kind === "notice") {
    return (
      <p class="notice-row" dir="auto" title={exactTime(time)} {...data}>
        {text}
      </p>
    );
  }
  return (
    <article
      class={`row${first ? " first" : ""}${called ? " called" : ""}`}
      tabIndex={-1}
      aria-label={`${author.name}, ${clockTime(time)}`}
      {...data}
    >
      <div class="row-side">
        {first ? (
          <Avatar name={author.name} />
        ) : (
          <time class="row-time" dateTime={new Date(time).toISOString()} title={exactTime(time)}>
            {clockTime(time)}
          </time>
        )}
      </div>
      <div class="row-main">
        {message.replyTo !== undefined && <QuoteView message={message} jump={actions.jump} />}
        {first && kind === "text" && (
          <header class="row-head">
            <bdi class="said-by">{author.name}</bdi>
            {author.kind !== "member" && <span class="guest-mark">{author.kind}</span>}
            <time dateTime={new Date(time).toISOString()} title={exactTime(time)}>
              {clockTime(time)}
            </time>
          </header>
        )}
        <div class={kind === "action" ? "words action" : "words"} data-testid="words">
          {deleted === true ? (
            <p class="deleted">This message was deleted.</p>
          ) : (
            <>
              {kind === "action" && <bdi class="said-by">{author.name}</bdi>}
              {text !== "" && <Text text={text} folded={folds && !unfolded} names={names} self={self} />}
            </>
          )}
          {edited !== undefined && deleted !== true && (
            <span class="edited" title={exactTime(edited)} data-testid="edited">
              (edited)
            </span>
          )}
        </div>
        {folds && (
          <button
            type="button"
            class="link-button fold"
            aria-expanded={unfolded}
            data-testid="unfold"
            onClick={() => {
              setUnfolded(!unfolded);
            }}
          >
            {unfolded ? "Show less" : "Show all"}
          </button>
        )}
        {deleted !== true && <Attachments attachments={message.attachments} />}
        <Reactions message={message} self={self} react={actions.react} />
      </div>
      {deleted !== true && (
        <div class={choosing ? "row-tools open" : "row-tools"}>
          <Tool
            label="React"
            testId="react"
            run={() => {
              actions.choose(message);
            }}
          >
            <SmileIcon />
          </Tool>
          <Tool
            label="Reply"
            testId="reply"
            run={() => {
              actions.reply(message);
            }}
          >
            <ReplyIcon />
          </Tool>
          {own && (
            <Tool
              label="Edit"
              testId="edit"
              run={() => {
                actions.edit(message);
              }}
            >
              <EditIcon />
            </Tool>
          )}
          {(own || moderates) && (
            <Tool
              label="Delete"
              testId="delete"
              run={() => {
                actions.remove(message);
              }}
            >
              <TrashIcon />
            </Tool>
          )}
          {choosing && (
            <EmojiPicker
              pick={(emoji) => {
                actions.react(message, emoji, true);
              }}
              close={() => {
                actions.choose(null);
              }}
            />
          )}
        </div>
      )}
    </article>
  );
}

interface TextProps {
  text: string;
  folded: boolean;
  names: readonly string[];
  self: string;
}

function Text({ text, folded, names, self }: TextProps) {
  const words = <Markdown text={text} names={names} self={self} />;
  return folded ? <div class="folded">{words}</div> : words;
}

/** A text that would push all others out of sight is folded. */
const LONG_LINES = 20;
const LONG_TEXT = 1_600;

function isLong(text: string): boolean {
  return text.length > LONG_TEXT || text.split("\n", LONG_LINES + 1).length > LONG_LINES;
}

function Tool({
  label,
  testId,
  run,
  children,
}: {
  label: string;
  testId: string;
  run: () => void;
  children: ComponentChildren;
}) {
  return (
    <button type="button" class="tool" aria-label={label} title={label} data-testid={testId} onClick={run}>
      {children}
    </button>
  );
}

function QuoteView({ message: { replyTo }, jump }: { message: Message; jump: (number: number) => void }) {
  if (replyTo === undefined) return null;
  const { number, author, text } = replyTo;
  return (
    <button
      type="button"
      class="quoted"
      data-testid="quoted"
      onClick={() => {
        jump(number);
      }}
    >
      {author === undefined || text === undefined ? (
        <span class="deleted">A message that was deleted</span>
      ) : (
        <>
          <bdi class="said-by">{author}</bdi>{" "}
          <span dir="auto">{text === "" ? "a file" : plainText(text)}</span>
        </>
      )}
    </button>
  );
}
