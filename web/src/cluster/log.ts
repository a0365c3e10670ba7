import type { Happening } from "./picture";

/** One line of what happened; sessions are counted together while the same goes on. */
export type Entry = { readonly id: number; readonly at: number } & Occurrence;

export type Occurrence =
  | { readonly what: "moved"; readonly from: string; readonly to: string; readonly count: number }
  | { readonly what: "appeared" | "ended"; readonly node: string; readonly count: number }
  | {
      readonly what: "joining" | "joined" | "leaving" | "left" | "lost" | "restarted";
      readonly node: string;
    };

/** Lines that are kept. */
const KEPT = 60;
/** What goes on after a pause of this many milliseconds is another occurrence. */
const PAUSE = 4_000;

/** The newest first. */
export function record(
  log: readonly Entry[],
  happenings: readonly Happening[],
  at: number,
): readonly Entry[] {
  return happenings.reduce((log, happening) => {
    const occurrence = occurrenceOf(happening);
    return occurrence === null ? log : add(log, occurrence, at);
  }, log);
}

function occurrenceOf(happening: Happening): Occurrence | null {
  switch (happening.what) {
    case "moved":
      return { what: "moved", from: happening.from, to: happening.session.owner, count: 1 };
    case "appeared":
    case "ended":
      return { what: happening.what, node: happening.session.owner, count: 1 };
    // Clients that poll change their node all the time.
    case "changed":
      return null;
    default:
      return happening;
  }
}

function add(log: readonly Entry[], occurrence: Occurrence, at: number): readonly Entry[] {
  const index = log.findIndex((entry) => at - entry.at < PAUSE && goesOn(entry, occurrence));
  const earlier = log[index];
  if (earlier !== undefined && "count" in earlier) {
    return log.with(index, { ...earlier, at, count: earlier.count + 1 });
  }
  return [{ ...occurrence, id: (log[0]?.id ?? 0) + 1, at }, ...log].slice(0, KEPT);
}

function goesOn(entry: Entry, next: Occurrence): boolean {
  if (entry.what === "moved") {
    return next.what === "moved" && entry.from === next.from && entry.to === next.to;
  }
  return "count" in entry && "node" in next && entry.what === next.what && entry.node === next.node;
}
