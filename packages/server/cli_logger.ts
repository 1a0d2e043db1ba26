import type { CliOutput } from "./cli_io.ts";
import type { NodeLogger } from "./node_logger.ts";

/** A logger and what writes out what it still holds. */
export interface OpenLogger {
  readonly logger: NodeLogger;
  readonly flush: () => void;
}

/**
 * The log of the command line, on standard error: JSON lines, pretty on a terminal.
 *
 * @param level the least level that is written
 */
export async function openLogger(level: string, stderr: CliOutput): Promise<OpenLogger> {
  const { default: pino } = await import("pino");
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (stderr.isTTY === true) {
    const { default: pretty } = await import("pino-pretty");
    const stream = pretty({
      destination: 2,
      sync: true,
      translateTime: "SYS:HH:MM:ss.l",
      colorize: true,
    });
    return { logger: pino(options, stream), flush: () => undefined };
  }
  // Synchronous: the last line before an end is the one that is wanted.
  const destination = pino.destination({ dest: 2, sync: true });
  return { logger: pino(options, destination), flush: () => destination.flushSync() };
}
