import "./clusterPage.css";
import { ThemeButton } from "../../shared/ThemeButton";
import { Wordmark } from "../../shared/Wordmark";
import { type Model, sessionsOf } from "../model";
import type { Scene } from "../scene";
import { Log } from "./Log";
import { MemberTable } from "./MemberTable";
import { SightBadge } from "./SightBadge";
import { StageView } from "./StageView";

export function ClusterPage({ model, scene }: { model: Model; scene: Scene }) {
  const { members, shown } = model;
  const total = sessionsOf(members);
  const moving = members.reduce((sum, { sessions }) => sum + (sessions?.moving ?? 0), 0);
  return (
    <div class="cluster">
      <header class="cluster-bar">
        <a class="home" href="/">
          <Wordmark />
        </a>
        <h1>Cluster</h1>
        <SightBadge model={model} />
        {model.hello?.public === true && (
          <a class="to-chat" href="/" data-testid="to-chat">
            Chat
          </a>
        )}
        <ThemeButton />
      </header>
      <main class="cluster-body">
        <StageView scene={scene} model={model} />
        <aside class="cluster-side">
          <dl class="totals">
            <Total name={members.length === 1 ? "node" : "nodes"} value={members.length} />
            <Total name={total === 1 ? "session" : "sessions"} value={total} />
            <Total name="moving" value={moving} />
          </dl>
          {shown < total && <p class="sample">{`${shown} of them are drawn, always the same.`}</p>}
          <Log entries={model.log} />
        </aside>
        <MemberTable members={members} hues={model.hues} hello={model.hello} />
      </main>
    </div>
  );
}

function Total({ name, value }: { name: string; value: number }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value.toLocaleString("en")}</dd>
    </div>
  );
}
