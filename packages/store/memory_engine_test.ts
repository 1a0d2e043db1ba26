import { MemoryEngine } from "./memory_engine.ts";
import { describeEngine } from "./engine_contract.ts";

describeEngine("MemoryEngine", { create: async () => new MemoryEngine(), operations: 2000 });
