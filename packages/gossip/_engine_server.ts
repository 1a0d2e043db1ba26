import { crossError } from "./_cross_error.ts";
import type { EngineCalls, EngineCommand, EngineReport } from "./_engine_protocol.ts";
import type { GossipEngine } from "./_gossip_engine.ts";

/** Carries out one command that came from the host's thread and reports its outcome. Never rejects. */
export async function serveEngine(
  engine: GossipEngine,
  command: EngineCommand,
  report: (report: EngineReport) => void,
): Promise<void> {
  if (command.type === "updates") {
    engine.handleUpdates(command.buffer);
    return;
  }
  const { call, method, args } = command;
  try {
    report({ type: "reply", call, value: await askEngine(engine, method, args) });
  } catch (error) {
    report({ type: "reply", call, error: crossError(error as Error) });
  }
}

/** Calls a method of the engine by its name. */
export function askEngine(
  engine: GossipEngine,
  method: keyof EngineCalls,
  args: readonly unknown[],
): unknown {
  const methods = engine as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
  return methods[method]?.(...args);
}
