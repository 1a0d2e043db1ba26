/** The file that the gossip worker runs; started by `GossipNode`, of no use to anybody else. */
import { type MessagePort, workerData } from "node:worker_threads";
import type { EngineCommand, EngineReport, EngineSettings } from "./_engine_protocol.ts";
import { serveEngine } from "./_engine_server.ts";
import { GossipEngine } from "./_gossip_engine.ts";
import { SharedState } from "./shared_state.ts";

const { settings, shared, port } = workerData as {
  settings: EngineSettings;
  shared: SharedArrayBuffer;
  port: MessagePort;
};

const report = (message: EngineReport, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);
const engine = new GossipEngine(settings, new SharedState(shared), { report });
port.on("message", (command: EngineCommand) => void serveEngine(engine, command, report));
