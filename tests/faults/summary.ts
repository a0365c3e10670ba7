import type { History } from "../history/history.ts";
import type { Guest } from "./guest.ts";

/** What a trial was like, in numbers. Times in milliseconds. */
export interface Summary {
  guests: number;
  said: number;
  acknowledged: number;
  heard: number;
  /** Messages without an answer although the client stayed connected: a node died that had handled them. */
  unanswered: number;
  disconnects: number;
  recovered: number;
  /** Guests that came back as somebody new. */
  reborn: number;
  longestAbsence: number;
  /** From the last fault of each group until all was well. */
  convergedAfter: number[];
}

export function summarize(
  guests: readonly Guest[],
  history: History,
  convergedAfter: readonly number[],
): Summary {
  const absences = guests.flatMap((guest) => guest.absences);
  const returns = absences.flatMap(({ at, back }) => (back ? [{ ...back, after: back.at - at }] : []));
  return {
    guests: guests.length,
    ...history.totals,
    unanswered: guests.reduce((sum, guest) => sum + guest.unanswered, 0),
    disconnects: absences.length,
    recovered: returns.filter(({ recovered }) => recovered).length,
    reborn: returns.filter(({ recovered }) => !recovered).length,
    longestAbsence: Math.max(0, ...returns.map(({ after }) => after)),
    convergedAfter: [...convergedAfter],
  };
}
