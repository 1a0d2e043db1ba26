import type { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";

/**
 * Answers of one turn of the event loop, sent at its end. The requests that have come in on all sockets
 * are served first and answered together: a write to a socket wakes the reader of its other end, and
 * with one answer between two requests that happened each time anew.
 */
export class Outgoing {
  readonly #send: (exchange: Exchange, answer: Answer) => void;
  readonly #flush = (): void => this.#sendAll();
  #exchanges: Exchange[] = [];
  #answers: Answer[] = [];

  /** @param send sends one answer; must not throw */
  constructor(send: (exchange: Exchange, answer: Answer) => void) {
    this.#send = send;
  }

  /** Sends an answer soon. */
  push(exchange: Exchange, answer: Answer): void {
    this.#answers.push(answer);
    if (this.#exchanges.push(exchange) === 1) setImmediate(this.#flush);
  }

  #sendAll(): void {
    const exchanges = this.#exchanges;
    const answers = this.#answers;
    this.#exchanges = [];
    this.#answers = [];
    answers.forEach((answer, index) => {
      const exchange = exchanges[index];
      if (exchange !== undefined) this.#send(exchange, answer);
    });
  }
}
