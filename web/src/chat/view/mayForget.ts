import type { Room } from "../state/model";
import { unsent } from "../state/outbox";

/** Asks before messages are thrown away that nobody has received. */
export function mayForget(rooms: readonly Room[]): boolean {
  const count = rooms.reduce((sum, { outbox }) => sum + unsent(outbox).length, 0);
  if (count === 0) return true;
  return confirm(`${count === 1 ? "One message has" : `${count} messages have`} not been sent. Go anyway?`);
}
