import type { Model } from "../model";
import type { Counts, Member } from "../protocol";

type Props = Pick<Model, "members" | "hues" | "hello">;

const COUNTS: readonly { readonly name: keyof Counts; readonly title: string }[] = [
  { name: "owned", title: "Sessions" },
  { name: "attached", title: "WebSockets" },
  { name: "moving", title: "Moving" },
  { name: "moved_in", title: "Moved in" },
  { name: "moved_out", title: "Moved out" },
  { name: "revived", title: "Revived" },
  { name: "recovered", title: "Recovered" },
];

/** The same in words and numbers, for all who cannot or would rather not watch dots. */
export function MemberTable({ members, hues, hello }: Props) {
  return (
    <div class="members-scroll" tabIndex={0} role="region" aria-label="Nodes">
      <table class="members-table" data-testid="members">
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">Phase</th>
            <th scope="col" class="number">
              Shards
            </th>
            {COUNTS.map(({ name, title }) => (
              <th key={name} scope="col" class="number">
                {title}
              </th>
            ))}
            <th scope="col">Address</th>
          </tr>
        </thead>
        <tbody>
          {members.map((member) => (
            <Row
              key={member.name}
              member={member}
              hue={hues.get(member.name) ?? 0}
              isLinked={hello?.public === true}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ member, hue, isLinked }: { member: Member; hue: number; isLinked: boolean }) {
  const { name, phase, http, shards, sessions } = member;
  return (
    <tr
      data-testid="member"
      data-name={name}
      data-phase={phase}
      data-owned={sessions?.owned ?? ""}
      data-shards={shards}
    >
      <th scope="row">
        <i class="mark" data-hue={hue} /> {name}
      </th>
      <td class={`phase ${phase}`}>{phase}</td>
      <td class="number">{shards}</td>
      {COUNTS.map(({ name }) => (
        <td key={name} class="number">
          {sessions === null ? "?" : sessions[name].toLocaleString("en")}
        </td>
      ))}
      <td>{isLinked ? <a href={`//${http}/cluster`}>{http}</a> : http}</td>
    </tr>
  );
}
