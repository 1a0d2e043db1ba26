/** Where a node's log lines go: the shape of pino, so that a pino logger is one. */
export interface NodeLogger {
  trace(details: object, message: string): void;
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/**
 * A logger whose errors stay its own: a disk that is full, or a program's mistake, must not end a node in the
 * middle of something.
 */
export function guardLogger(logger: NodeLogger): NodeLogger {
  const guard =
    (level: keyof NodeLogger) =>
    (details: object, message: string): void => {
      try {
        logger[level](details, message);
      } catch {
        // There is nowhere left to say it.
      }
    };
  return {
    ...{ trace: guard("trace"), debug: guard("debug"), info: guard("info") },
    ...{ warn: guard("warn"), error: guard("error") },
  };
}

const nowhere = (): void => undefined;

/** Writes nothing. */
export const silentLogger: NodeLogger = {
  trace: nowhere,
  debug: nowhere,
  info: nowhere,
  warn: nowhere,
  error: nowhere,
};
