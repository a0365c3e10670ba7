import type { Person, Role } from "../protocol";
import { byName } from "../text/names";
import type { MemberList, Presence } from "./model";

export interface RoomPerson extends Person {
  /** Null while the list of members is not known, or does not reach so far. */
  readonly role: Role | null;
}

interface People {
  readonly present: readonly RoomPerson[];
  /** Members who are not listed as being there. */
  readonly others: readonly RoomPerson[];
  /** Whether `others` are known not to be there: not while the list of those who are there goes on. */
  readonly othersAbsent: boolean;
  /** So many are there who are not listed. */
  readonly hidden: number;
}

/** Those who are there now and those who are not, oneself first, then by name. */
export function peopleOf(
  { persons, count }: Presence,
  list: Pick<MemberList, "members"> | null,
  self: Person,
): People {
  const members = list?.members ?? [];
  const roles = new Map(members.map(({ name, role }) => [name, role]));
  const here = withSelf(persons ?? [], count ?? 0, self);
  const present = here
    .map((person): RoomPerson => ({ ...person, role: roles.get(person.name) ?? null }))
    .sort(inOrderFor(self));
  const hereByName = new Set(here.map(({ name }) => name));
  // As long as nobody is known to be there, nobody is known to be away.
  const others =
    persons === null ? [] : members.filter(({ name }) => !hereByName.has(name)).sort(inOrderFor(self));
  const hidden = Math.max(0, (count ?? 0) - present.length);
  return { present, others, othersAbsent: hidden === 0, hidden };
}

/** Who looks at a long list is among those who are there, though perhaps not in the part of it that is here. */
function withSelf(persons: readonly Person[], count: number, self: Person): readonly Person[] {
  const cut = persons.length > 0 && persons.length < count;
  return cut && !persons.some(({ name }) => name === self.name) ? [self, ...persons] : persons;
}

function inOrderFor(self: Person): (a: Person, b: Person) => number {
  return (a, b) => Number(b.name === self.name) - Number(a.name === self.name) || byName(a.name, b.name);
}
