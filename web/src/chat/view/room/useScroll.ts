import type { RefObject } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Room } from "../../state/model";

interface Scrolling {
  readonly list: RefObject<HTMLDivElement | null>;
  /** Set while the reader is elsewhere than at the end; the number that was the room's last when the reader left it. */
  readonly leftAt: number | null;
  readonly toEnd: () => void;
}

interface Wishes {
  readonly loadOlder: () => void;
  readonly loadNewer: () => void;
}

/** Pixels from the end that still count as being there. */
const NEAR = 60;

/** Pixels before an end of what is loaded at which more is asked for: half a screen. */
const AHEAD = 400;

/** How long the message that was asked for stands out, in milliseconds. */
const TARGET_SHOWN = 2_500;

/** A row that is in view, and how far below the top of the list it is. */
interface Anchor {
  readonly number: string;
  readonly offset: number;
}

/**
 * Keeps a list of messages where the reader is: at the end while that is where the reader is, else at the same message
 * whatever comes before or after it. Goes to the message that is asked for, and asks for more near either end.
 */
export function useScroll(room: Room, { loadOlder, loadNewer }: Wishes): Scrolling {
  const { timeline, outbox, target, newFrom } = room;
  const list = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const anchor = useRef<Anchor | null>(null);
  const placed = useRef(false);
  const [leftAt, setLeftAt] = useState<number | null>(null);
  const newestNow = useRef(timeline.newest);
  const lastWritten = outbox.at(-1)?.id ?? null;

  const toEnd = useCallback(() => {
    atEnd.current = true;
    setLeftAt(null);
    list.current?.scrollTo({ top: list.current.scrollHeight });
  }, []);

  // A new page has taken the place of the old one: the reader is at its end, unless a message is asked for.
  const window = timeline.messages;
  useLayoutEffect(() => {
    newestNow.current = timeline.newest;
    const element = list.current;
    if (element === null) return;
    if (!placed.current && timeline.loaded) {
      placed.current = true;
      const mark = newFrom === null ? null : element.querySelector(".new-mark");
      if (mark) mark.scrollIntoView({ block: "center" });
      else toEnd();
    } else if (atEnd.current) {
      element.scrollTo({ top: element.scrollHeight });
    } else if (!restore(element, anchor.current) && target === null) {
      toEnd();
    }
    // The mark is looked for once.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [window, outbox, timeline.loaded, toEnd]);

  useLayoutEffect(() => {
    if (lastWritten !== null) toEnd();
  }, [lastWritten, toEnd]);

  const wanted = target === null ? null : `${target.ask} ${target.number}`;
  const reached = useRef<string | null>(null);
  useLayoutEffect(() => {
    if (target === null || reached.current === wanted) return;
    const row = list.current?.querySelector<HTMLElement>(`[data-number="${target.number}"]`);
    if (!row) return;
    reached.current = wanted;
    atEnd.current = false;
    setLeftAt((before) => before ?? newestNow.current);
    row.scrollIntoView({ block: "center" });
    row.animate({ backgroundColor: ["var(--accent-soft)", "transparent"] }, TARGET_SHOWN);
    row.focus({ preventScroll: true });
  }, [wanted, target, window]);

  useEffect(() => {
    const element = list.current;
    if (element === null) return;
    const look = () => {
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
      anchor.current = anchorIn(element);
      setLeftAt((before) => (atEnd.current ? null : (before ?? newestNow.current)));
      if (element.scrollTop < AHEAD) loadOlder();
      if (element.scrollHeight - element.scrollTop - element.clientHeight < AHEAD) loadNewer();
    };
    const onResize = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTo({ top: element.scrollHeight });
    });
    look();
    element.addEventListener("scroll", look, { passive: true });
    onResize.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      onResize.disconnect();
    };
    // After each page it is looked again whether one more is needed.
  }, [window, loadOlder, loadNewer]);

  return { list, leftAt, toEnd };
}

function anchorIn(list: HTMLElement): Anchor | null {
  const top = list.getBoundingClientRect().top;
  for (const row of list.querySelectorAll<HTMLElement>("[data-number]")) {
    const { bottom, top: rowTop } = row.getBoundingClientRect();
    if (bottom > top) return { number: row.dataset["number"] ?? "", offset: rowTop - top };
  }
  return null;
}

/** Whether the row is still there, and so is where it was. */
function restore(list: HTMLElement, anchor: Anchor | null): boolean {
  if (anchor === null) return false;
  const row = list.querySelector<HTMLElement>(`[data-number="${anchor.number}"]`);
  if (!row) return false;
  const offset = row.getBoundingClientRect().top - list.getBoundingClientRect().top;
  list.scrollTop += offset - anchor.offset;
  return true;
}
