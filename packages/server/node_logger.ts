/** Where a node's log lines go: the shape of pino, so that a pino logger is one. */
export interface NodeLogger {
  trace(details: object, message: string): void;
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
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
