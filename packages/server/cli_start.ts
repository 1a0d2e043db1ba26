import type { CliProcess } from "./cli_io.ts";
import { openLogger } from "./cli_logger.ts";
import { resolveNodeSettings, type Typed } from "./cli_parse.ts";
import { readSecrets, readSeeds, toNodeOptions } from "./cli_settings.ts";
import { UsageError } from "./cli_usage_error.ts";
import { createNode } from "./create_node.ts";
import { formatHostPort } from "@dnd/gossip";
import type { DndNode } from "./dnd_node.ts";
import type { NodeSettings } from "./cli_option_rows.ts";
import type { NodeLogger } from "./node_logger.ts";

/** A second signal within this time is the same Ctrl-C: a terminal sends it to every process of a group. */
const sameSignalMs = 1_000;
/** How long running requests may take when the node stops. */
const graceMs = 2_500;
/** The node has stopped by then, or is ended. */
const stopMs = 4_700;

/** `dnd start` and `dnd join`. */
export async function startCommand(typed: Typed, host: CliProcess): Promise<number> {
  const settings = resolveNodeSettings(typed.options, host.env);
  const seeds = readSeeds(typed.args, host.env);
  const secrets = readSecrets(settings);
  const options = toNodeOptions(settings, seeds, secrets);
  const { logger, flush } = await openLogger(settings.logLevel ?? "info", host.stderr);
  const signals = new Signals(host, logger, flush);
  try {
    for (;;) {
      const node = await createNode({ ...options, logger });
      const { address = options.address ?? "127.0.0.1" } = options.http ?? {};
      const [http, web] = [node.httpPort, node.webPort].map((port) =>
        port === undefined ? "off" : formatHostPort(address, port),
      );
      host.stdout.write(
        `dnd ready node=${node.id} gossip=${node.address} http=${http} web=${web}\n`,
      );
      signals.onHangup(() => reload(node, settings, logger));
      signals.onStop(() => void node.close({ graceMs }));
      const { reason } = await node.ended;
      logger.info({ reason }, reason === "left" ? "left the cluster" : "stopped");
      // On a copy of another node's data: the same folder again, under its new id (rule 19).
      if (reason !== "copy" || signals.stopping) return reason === "failed" ? 3 : 0;
    }
  } catch (error) {
    throw mendable(error);
  } finally {
    signals.off();
    flush();
  }
}

/** Errors that the person who typed can mend become one line; anything else is ours. */
function mendable(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const known = ["BindError", "BindHttpError", "DataFolderError", "TypeError", "RangeError"];
  if (known.includes(error.name) && !isBug(error)) return new UsageError(error.message);
  return error;
}

/** A TypeError of the engine, and not one of ours, is a bug and keeps its stack. */
function isBug(error: Error): boolean {
  return (error.name === "TypeError" || error.name === "RangeError") &&
    !/^Cannot /.test(error.message)
    ? true
    : /^Cannot (read|set) propert/.test(error.message);
}

async function reload(node: DndNode, settings: NodeSettings, logger: NodeLogger): Promise<void> {
  try {
    const { keys, tokens, tls } = readSecrets(settings);
    await node.reload({
      ...(keys === undefined ? {} : { keys }),
      ...(tokens === undefined ? {} : { tokens }),
      ...(tls === undefined ? {} : { tls }),
    });
    logger.info({}, "keys, tokens and certificates were read again");
  } catch (error) {
    logger.error({ err: error }, "keys, tokens and certificates stay as they were");
  }
}

/** The signals of the process: the first one stops in order, a later one ends at once. */
class Signals {
  readonly #host: CliProcess;
  readonly #logger: NodeLogger;
  readonly #flush: () => void;
  #stoppingSince: number | undefined;
  #stop: (() => void) | undefined;
  #hangup: (() => Promise<void>) | undefined;
  readonly #onTerminate = (): void => this.#terminate("SIGTERM");
  readonly #onInterrupt = (): void => this.#terminate("SIGINT");
  readonly #onHangup = (): void => void this.#hangup?.();

  constructor(host: CliProcess, logger: NodeLogger, flush: () => void) {
    this.#host = host;
    this.#logger = logger;
    this.#flush = flush;
    host.on("SIGTERM", this.#onTerminate);
    host.on("SIGINT", this.#onInterrupt);
    host.on("SIGHUP", this.#onHangup);
  }

  /** Whether a signal to stop has come. */
  get stopping(): boolean {
    return this.#stoppingSince !== undefined;
  }

  /** What stops the node; at once if a signal came before. */
  onStop(stop: () => void): void {
    this.#stop = stop;
    if (this.#stoppingSince !== undefined) stop();
  }

  onHangup(hangup: () => Promise<void>): void {
    this.#hangup = hangup;
  }

  off(): void {
    this.#host.off("SIGTERM", this.#onTerminate);
    this.#host.off("SIGINT", this.#onInterrupt);
    this.#host.off("SIGHUP", this.#onHangup);
  }

  #terminate(signal: string): void {
    const now = performance.now();
    if (this.#stoppingSince === undefined) {
      this.#stoppingSince = now;
      this.#logger.info({ signal }, "stopping");
      setTimeout(() => {
        this.#logger.error({}, "stopping took too long: ending at once");
        this.#flush();
        this.#host.exit(1);
      }, stopMs).unref();
      this.#stop?.();
    } else if (now - this.#stoppingSince > sameSignalMs) {
      this.#flush();
      this.#host.exit(1);
    }
  }
}
