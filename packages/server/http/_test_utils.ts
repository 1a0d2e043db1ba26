// Holds the answers of running nodes against their OpenAPI document.
import assert from "node:assert/strict";
import { request, type IncomingHttpHeaders } from "node:http";
import { Ajv2020 as Ajv, type ValidateFunction } from "ajv/dist/2020.js";

interface Media {
  readonly schema?: object;
}

interface DocumentedAnswer {
  readonly headers: object;
  readonly content?: Readonly<Record<string, Media>>;
  readonly "x-dnd-codes"?: readonly string[];
}

/** One operation of the document. */
export interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, DocumentedAnswer>>;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
}

/** The document. */
export interface ApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

/** A request to a documented path. */
export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default: the administrator's. Empty: none. */
  readonly token?: string;
  /** The body never comes to its end. */
  readonly unfinished?: boolean;
  /** Default: the port of the checker. */
  readonly port?: number;
}

/** Headers that are there only sometimes. */
const sometimes = ["Dnd-Expires", "Dnd-Superseded"];

/** Sends requests, and checks that each answer is documented and fits what is documented. */
export class ApiChecker {
  /** What running nodes have answered: `get /kv/{key} 404 not-found`. */
  readonly seen: Set<string> = new Set<string>();
  readonly document: ApiDocument;
  readonly #port: number;
  readonly #ajv = new Ajv({ strict: false });
  readonly #validators = new Map<object, ValidateFunction>();

  constructor(document: ApiDocument, port: number) {
    this.document = document;
    this.#port = port;
    // Formats are for people: the tests of the routes look at times themselves.
    this.#ajv.addFormat("date-time", true);
  }

  /** Everything that is documented, in the form of {@link seen}. */
  promised(): readonly string[] {
    return Object.entries(this.document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { responses }]) =>
        Object.entries(responses).flatMap(([status, answer]) => {
          const where = `${method} ${path} ${status}`;
          const codes = answer["x-dnd-codes"] ?? [];
          // An answer to HEAD has no body to say its code in.
          if (method === "head" || codes.length === 0) return [where];
          const good = Object.keys(answer.content ?? {}).some((type) => !type.includes("problem"));
          return [...(good ? [where] : []), ...codes.map((code) => `${where} ${code}`)];
        }),
      ),
    );
  }

  /** Sends one request. @returns status and code */
  async call(method: string, path: string, url: string, ask: Ask = {}): Promise<string> {
    const operation = this.document.paths[path]?.[method.toLowerCase()];
    assert.ok(operation !== undefined, `${method} ${path} is not documented`);
    const { status, headers, text } = await this.#send(method, url, ask);
    const where = `${method} ${url} ${status} ${text.slice(0, 300)}`;
    const answer = operation.responses[status];
    assert.ok(answer !== undefined, `${where} is not documented`);
    for (const name of Object.keys(answer.headers)) {
      if (sometimes.includes(name)) continue;
      assert.ok(headers[name.toLowerCase()] !== undefined, `${where} has no ${name}`);
    }
    const type = headers["content-type"] ?? "";
    const place = `${method.toLowerCase()} ${path} ${status}`;
    if (method === "HEAD" || status === 204 || status === 304) {
      assert.ok(method === "HEAD" || text === "", where);
      this.seen.add(place);
      return String(status);
    }
    const content = answer.content ?? {};
    const media = content[type] ?? content[type.split(";")[0] ?? ""] ?? content["*/*"];
    assert.ok(media !== undefined, `${where}: ${type} is not documented`);
    if (type === "application/problem+json") {
      const { code } = JSON.parse(text) as { code: string };
      assert.ok(answer["x-dnd-codes"]?.includes(code), `${where}: ${code} is not documented`);
      this.#validate(media.schema, JSON.parse(text), where);
      this.seen.add(`${place} ${code}`);
      return `${status} ${code}`;
    }
    if (type === "application/x-ndjson") {
      for (const line of text.split("\n").filter((one) => one !== "")) {
        this.#validate(media.schema, JSON.parse(line), where);
      }
    } else if (media.schema !== undefined) this.#validate(media.schema, JSON.parse(text), where);
    this.seen.add(place);
    return String(status);
  }

  #validate(schema: object | undefined, value: unknown, where: string): void {
    assert.ok(schema !== undefined, `${where} has no schema`);
    let validator = this.#validators.get(schema);
    if (validator === undefined) {
      validator = this.#ajv.compile({ ...schema, components: this.document.components });
      this.#validators.set(schema, validator);
    }
    assert.ok(validator(value), `${where}: ${JSON.stringify(validator.errors)}`);
  }

  #send(method: string, path: string, ask: Ask) {
    const { token = "admintoken", body, unfinished = false, port = this.#port } = ask;
    return new Promise<{
      status: number;
      headers: IncomingHttpHeaders;
      text: string;
    }>((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
      const headers = {
        host: "localhost",
        ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
        ...(unfinished ? { "content-length": 100 } : length),
        ...ask.headers,
      };
      const sent = request({ host: "127.0.0.1", port, method, path, agent: false, headers });
      sent.once("error", reject);
      sent.once("response", (response) => {
        // From here on the answer counts, whatever becomes of the connection.
        sent.on("error", () => undefined);
        const { statusCode: status = 0 } = response;
        let text = "";
        const done = (): void => {
          sent.destroy();
          resolve({ status, headers: response.headers, text });
        };
        if (response.headers["content-type"]?.startsWith("text/event-stream") === true) {
          done();
          return;
        }
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("error", reject);
        response.once("end", done);
      });
      if (unfinished) sent.write("1");
      else sent.end(body);
    });
  }
}
