import type { RefObject } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

export type DrawerName = "rooms" | "side";

export interface Drawer {
  /** The panel that lies over the conversation, on a screen too narrow to show it beside. */
  readonly open: DrawerName | null;
  readonly show: (name: DrawerName) => void;
  readonly close: () => void;
  /** For the panels: the one that is shown takes the focus. */
  readonly panels: Readonly<Record<DrawerName, RefObject<HTMLElement | null>>>;
}

/** From this width on nothing is a drawer; the style sheets name it too. */
const ALL_SIDE_BY_SIDE = "(min-width: 1120px)";
const ROOMS_BESIDE = "(min-width: 720px)";

/** At most one drawer is open. Escape closes it, and the focus goes back to where it was. */
export function useDrawer(): Drawer {
  const [open, setOpen] = useState<DrawerName | null>(null);
  const rooms = useRef<HTMLElement>(null);
  const side = useRef<HTMLElement>(null);
  const panels = useMemo(() => ({ rooms, side }), []);
  // Taken before the drawer makes the rest inert, which drops the focus.
  const focusedBefore = useRef<Element | null>(null);
  const show = useCallback((name: DrawerName) => {
    // Beside the conversation, nothing has to be opened.
    if (matchMedia(name === "rooms" ? ROOMS_BESIDE : ALL_SIDE_BY_SIDE).matches) return;
    focusedBefore.current = document.activeElement;
    setOpen(name);
  }, []);
  const close = useCallback(() => {
    setOpen(null);
  }, []);

  useEffect(() => {
    if (open === null) return;
    panels[open].current?.focus();
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape") close();
    };
    const wide = matchMedia(ALL_SIDE_BY_SIDE);
    wide.addEventListener("change", close);
    window.addEventListener("keydown", onKey);
    return () => {
      wide.removeEventListener("change", close);
      window.removeEventListener("keydown", onKey);
      if (focusedBefore.current instanceof HTMLElement) focusedBefore.current.focus();
    };
  }, [open, close, panels]);

  return useMemo(() => ({ open, show, close, panels }), [open, show, close, panels]);
}
