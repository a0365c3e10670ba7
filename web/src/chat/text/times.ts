const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** All take milliseconds since the epoch and follow the reader's language. */
export const clockTime = (at: number): string => clock.format(at);
export const exactTime = (at: number): string => moment.format(at);

export function dayName(at: number, now: number): string {
  return new Date(at).toDateString() === new Date(now).toDateString() ? "Today" : weekday.format(at);
}
