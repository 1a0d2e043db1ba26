import { describeEngine } from "@dnd/store/engine-contract";
import type { LmdbEngine } from "./lmdb_engine.ts";
import { freshFolder } from "./_test_utils.ts";
import { openEngine } from "./open_engine.ts";

describeEngine("LmdbEngine", {
  create: () => openEngine({ folder: freshFolder() }),
  reopen: async (engine) => {
    await engine.close();
    return openEngine({ folder: (engine as LmdbEngine).folder.path });
  },
  operations: process.env.DND_FULL === "1" ? 4_000 : 300,
});
