import type { Person, Role } from "../protocol";
import type { MemberList, Presence } from "./model";

export interface RoomPerson extends Person {
  /** Null while the list of members is not known, or does not reach so far. */
  readonly role: Role | null;
}

interface People {
  readonly present: readonly RoomPerson[];
  readonly absent: readonly RoomPerson[];
  /** So many are there who are not listed. */
  readonly hidden: number;
}

/** More would make the page slow. */
const SHOWN = 200;

/** Those who are there now and those who are not, oneself first, then by name. */
export function peopleOf({ persons, count }: Presence, list: MemberList | null, self: string): People {
  const members = list?.members ?? [];
  const roles = new Map(members.map(({ name, role }) => [name, role]));
  const here = new Set(persons?.map(({ name }) => name));
  const byName = (a: Person, b: Person) =>
    Number(b.name === self) - Number(a.name === self) || a.name.localeCompare(b.name);
  const present = (persons ?? [])
    .map((person): RoomPerson => ({ ...person, role: roles.get(person.name) ?? null }))
    .sort(byName)
    .slice(0, SHOWN);
  // As long as nobody is known to be there, nobody is known to be away.
  const absent = persons === null ? [] : members.filter(({ name }) => !here.has(name)).sort(byName);
  return { present, absent: absent.slice(0, SHOWN), hidden: Math.max(0, (count ?? 0) - present.length) };
}
