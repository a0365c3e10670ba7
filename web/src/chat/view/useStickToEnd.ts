import type { RefObject } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Entry, Outgoing } from "../state/model";

interface Sticking {
  readonly list: RefObject<HTMLDivElement | null>;
  /** Set while the reader has scrolled back; `missed` counts the messages that came meanwhile. */
  readonly away: { readonly missed: number } | null;
  readonly toEnd: () => void;
}

/** Pixels from the end that still count as being there. */
const NEAR = 60;

/** Keeps a list at its end while the reader is there, and leaves it alone while the reader is elsewhere. */
export function useStickToEnd(entries: readonly Entry[], outbox: readonly Outgoing[]): Sticking {
  const list = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [leftAt, setLeftAt] = useState<number | null>(null);
  const lastEntry = entries.at(-1)?.id ?? 0;
  const lastEntryNow = useRef(lastEntry);
  const lastWritten = outbox.at(-1)?.id ?? 0;

  const toEnd = useCallback(() => {
    atEnd.current = true;
    setLeftAt(null);
    list.current?.scrollTo({ top: list.current.scrollHeight });
  }, []);

  useLayoutEffect(() => {
    const mark = list.current?.querySelector(".new-mark");
    if (mark) mark.scrollIntoView({ block: "center" });
    else toEnd();
  }, [toEnd]);

  useLayoutEffect(() => {
    lastEntryNow.current = lastEntry;
    if (atEnd.current) toEnd();
  }, [lastEntry, outbox, toEnd]);

  useLayoutEffect(() => {
    if (lastWritten > 0) toEnd();
  }, [lastWritten, toEnd]);

  useEffect(() => {
    const element = list.current;
    if (element === null) return;
    const onScroll = () => {
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
      setLeftAt((before) => (atEnd.current ? null : (before ?? lastEntryNow.current)));
    };
    const onResize = new ResizeObserver(() => {
      if (atEnd.current) toEnd();
    });
    element.addEventListener("scroll", onScroll, { passive: true });
    onResize.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      onResize.disconnect();
    };
  }, [toEnd]);

  return { list, away: leftAt === null ? null : { missed: messagesAfter(entries, leftAt) }, toEnd };
}

function messagesAfter(entries: readonly Entry[], id: number): number {
  return entries.filter((entry) => entry.id > id && entry.type === "message" && !entry.own).length;
}
