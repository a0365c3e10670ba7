import "./menu.css";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

export interface MenuItem {
  readonly label: string;
  readonly testId: string;
  readonly danger?: boolean;
  /** For what is on or off. */
  readonly checked?: boolean;
  readonly pick: () => void;
}

interface Props {
  /** The name of the button. */
  readonly label: string;
  readonly testId: string;
  readonly class?: string;
  /** On which side of the button the menu opens. */
  readonly opens?: "up" | "down";
  readonly head?: ComponentChildren;
  readonly items: readonly MenuItem[];
  readonly children: ComponentChildren;
}

/** A button that opens a list of things to do. Arrow keys move in it, Escape closes it. */
export function Menu({ label, testId, class: className, opens = "down", head, items, children }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return;
    itemsIn(root.current)[0]?.focus();
    const onPointer = (event: Event) => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) setOpen(false);
    };
    document.addEventListener("pointerdown", onPointer);
    return () => {
      document.removeEventListener("pointerdown", onPointer);
    };
  }, [open]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const all = itemsIn(root.current);
    const place = all.findIndex((item) => item === document.activeElement);
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") {
      event.stopPropagation();
      if (event.key === "Escape") event.preventDefault();
      close();
    } else if (to !== undefined) {
      event.preventDefault();
      all.at(to % all.length)?.focus();
    }
  };

  return (
    <div class="menu-root" ref={root}>
      <button
        ref={button}
        type="button"
        class={className}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        data-testid={testId}
        onClick={() => {
          setOpen(!open);
        }}
      >
        {children}
      </button>
      {open && (
        <div class="menu" data-opens={opens}>
          {head}
          <div role="menu" id={id} aria-label={label} onKeyDown={onKeyDown}>
            {items.map((item) => (
              <button
                key={item.testId}
                type="button"
                role={item.checked === undefined ? "menuitem" : "menuitemcheckbox"}
                aria-checked={item.checked}
                tabIndex={-1}
                class={item.danger === true ? "menu-item danger" : "menu-item"}
                data-testid={item.testId}
                onClick={() => {
                  close();
                  item.pick();
                }}
              >
                <span>{item.label}</span>
                {item.checked === true && <span aria-hidden="true">✓</span>}
              </button>
            ))}
          </div>
        </div>
      )}
    </div>
  );
}

function itemsIn(root: HTMLElement | null): HTMLElement[] {
  return root === null ? [] : [...root.querySelectorAll<HTMLElement>(".menu-item")];
}
