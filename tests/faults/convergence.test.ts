import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeStatus } from "../harness/node.ts";
import { complain } from "./convergence.ts";

const none = { clients: 0, webSockets: 0, abandoned: 0 };

function status(node: string, shards: Record<string, number>, owned = 0, attached = 0): NodeStatus {
  const members = Object.entries(shards).map(([name, count]) => ({ name, phase: "up", shards: count }));
  const sessions = { owned, attached, revived: 0, recovered: 0, moved_in: 0, overflows: 0, throttled: 0 };
  const clients = { connections: attached, refused_by_node: 0, refused_by_address: 0, refused_origins: 0 };
  return { node, phase: "up", members, sessions, clients };
}

const halves = { a: 500, b: 524 };

describe("nodes have converged", () => {
  test("when they see the same and all is accounted for", () => {
    const statuses = [status("a", halves, 3, 1), status("b", { b: 524, a: 500 }, 2, 2)];
    assert.equal(complain(statuses, { clients: 5, webSockets: 3, abandoned: 0 }), undefined);
    assert.equal(complain(statuses, { clients: 4, webSockets: 3, abandoned: 1 }), undefined);
  });

  test("but not when none is running or one is not up", () => {
    assert.match(complain([], none) ?? "", /no node/);
    const leaving = { ...status("a", { a: 1024 }), phase: "leaving" };
    assert.match(complain([leaving], none) ?? "", /a is leaving/);
  });

  test("nor when they see different members or shares", () => {
    assert.match(complain([status("a", halves), status("b", { b: 1024 })], none) ?? "", /a sees/);
    assert.match(complain([status("a", halves), status("b", { a: 499, b: 525 })], none) ?? "", /a sees/);
  });

  test("nor when shards are nobody's", () => {
    assert.match(complain([status("a", { a: 1023 })], none) ?? "", /1023 shards/);
  });

  test("nor when sessions are missing or too many, or sockets are", () => {
    const statuses = [status("a", halves, 3, 1), status("b", halves, 2, 2)];
    assert.match(complain(statuses, { clients: 6, webSockets: 3, abandoned: 0 }) ?? "", /5 sessions for 6/);
    assert.match(complain(statuses, { clients: 4, webSockets: 3, abandoned: 0 }) ?? "", /5 sessions for 4/);
    assert.match(complain(statuses, { clients: 5, webSockets: 2, abandoned: 0 }) ?? "", /3 sockets for 2/);
  });
});
