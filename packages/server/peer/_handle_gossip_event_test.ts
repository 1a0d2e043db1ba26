import assert from "node:assert/strict";
import type { GossipEvent, MemberView } from "@dnd/gossip";
import { handleGossipEvent } from "./_handle_gossip_event.ts";

const self = "aa".repeat(16);
const other = { id: "bb".repeat(16), name: "b", address: "10.0.0.7:5000", self: false };

/** Hears one event; gives back what each was told, in order. */
function hear(event: object): readonly unknown[] {
  const told: unknown[] = [];
  const line = (level: string) => (_fields: object, message: string) =>
    void told.push([level, message]);
  handleGossipEvent(event as GossipEvent, {
    gossip: { id: self, members: () => [{ ...other }, { ...other, id: self }] as MemberView[] },
    replicator: {
      handleMember: ({ id, state }) => (told.push(["member", id, state]), []),
      handleMemberRemoved: (id) => (told.push(["removed", id]), []),
    },
    memory: { soon: () => void told.push("remember") },
    parts: {
      logger: {
        ...{ trace: line("trace"), debug: line("debug"), info: line("info") },
        ...{ warn: line("warn"), error: line("error") },
      },
      onCopy: () => void told.push("copy"),
    },
    now: () => 1,
  });
  return told;
}

describe("handleGossipEvent()", () => {
  it("tells replication and the memory of each change of a member, and the log of most", () => {
    for (const [type, level] of [
      ["alive", "info"],
      ["resumed", "info"],
      ["suspect", "warn"],
      ["dead", "warn"],
    ] as const) {
      const member = { ...other, state: type };
      assert.deepEqual(hear({ type, member }), [
        [level, `member b is ${type}`],
        "remember",
        ["member", other.id, type],
      ]);
    }
    const silent = ["remember", ["member", other.id, "alive"]];
    assert.deepEqual(hear({ type: "updated", member: { ...other, state: "alive" } }), silent);
    assert.deepEqual(hear({ type: "removed", member: other }), ["remember", ["removed", other.id]]);
  });

  it("reads all members again when events were lost", () => {
    const told = hear({ type: "lost" });
    assert.deepEqual(
      told.map((each) => (each as string[])[1]),
      [other.id, self],
    );
  });

  it("tells replication that the others forgot this node (rule 3), and of a copy whoever asked (rule 19)", () => {
    for (const type of ["forgotten-self", "exhausted"]) {
      assert.deepEqual(hear({ type, generation: 3 }), [["member", self, "forgotten"]]);
    }
    assert.deepEqual(hear({ type: "copy" }), ["copy"]);
  });
});
