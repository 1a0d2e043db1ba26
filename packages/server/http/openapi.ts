import { z } from "zod";
import { jsonAnswer } from "./answer.ts";
import { problemKinds, type ProblemCode } from "./problem.ts";
import { readQuery } from "./read_query.ts";
import type { Route } from "./route.ts";

const noQuery = z.strictObject({});

/** Problems that every route may answer with. */
const commonProblems: readonly ProblemCode[] = ["invalid-argument", "headers-too-large"];
/** The same for every route but those of health, which turn nobody away. */
const guardedProblems: readonly ProblemCode[] = [
  "unauthorized",
  "origin-not-allowed",
  "host-not-allowed",
];

const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(problemKinds) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string(),
    outcome: z.enum(["not-applied", "partial", "unknown"]).optional(),
    acked: z.int().optional(),
    needed: z.int().optional(),
  })
  .meta({ description: "What went wrong; decide by code" });

type Json = Record<string, unknown>;

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const json: Json = { ...z.toJSONSchema(schema, { io, unrepresentable: "any" }) };
  delete json["$schema"];
  return json;
}

function parameters(route: Route): Json[] {
  const list: Json[] = [];
  if (route.path.includes("{")) {
    list.push({
      name: "key",
      in: "path",
      required: true,
      schema: { type: "string", minLength: 1 },
      description:
        "1 to 1,024 bytes of UTF-8, percent-encoded; it may hold slashes, encoded or not, but no . or .. segment",
    });
  }
  for (const [name, field] of Object.entries(route.query?.shape ?? {})) {
    const { description, ...schema } = jsonSchema(field as z.ZodType, "input");
    list.push({
      name,
      in: "query",
      required: !(field as z.ZodType).safeParse(undefined).success,
      schema,
      ...(description === undefined ? {} : { description }),
    });
  }
  for (const [name, description] of Object.entries(route.headers ?? {})) {
    list.push({ name, in: "header", schema: { type: "string" }, description });
  }
  return list;
}

function headers(names: readonly string[]): Json {
  return Object.fromEntries(
    [...names, "Dnd-Node", "X-Request-Id"].map((name) => [name, { schema: { type: "string" } }]),
  );
}

/** Headers that come with every problem of a status. */
const problemHeaders: Readonly<Record<number, readonly string[]>> = {
  401: ["WWW-Authenticate"],
  429: ["Retry-After"],
  503: ["Retry-After"],
};

function problemsOf(route: Route): ReadonlySet<ProblemCode> {
  const { role, problems } = route;
  return new Set([
    ...commonProblems,
    ...(role === undefined ? [] : guardedProblems),
    // Whoever is let in may read.
    ...(role === undefined || role === "read" ? [] : (["forbidden"] as const)),
    ...problems,
  ]);
}

function responses(route: Route): Json {
  const answers: Json = {};
  for (const [status, answer] of Object.entries(route.answers)) {
    answers[status] = {
      description: answer.description,
      headers: headers(answer.headers ?? []),
      ...(answer.type === undefined
        ? {}
        : {
            content: {
              [answer.type]: {
                ...(answer.schema === undefined
                  ? {}
                  : { schema: jsonSchema(answer.schema, "output") }),
              },
            },
          }),
    };
  }
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of problemsOf(route)) {
    const { status } = problemKinds[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  for (const [status, codes] of byStatus) {
    const problem = {
      "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
    };
    const known = answers[status] as { description: string; content: Json } | undefined;
    answers[status] = {
      description: [...(known === undefined ? [] : [known.description]), codes.join(", ")].join(
        "; or ",
      ),
      headers: headers(problemHeaders[status] ?? []),
      content: { ...known?.content, ...problem },
      "x-dnd-codes": codes,
    };
  }
  return answers;
}

/** The OpenAPI 3.1 document of some routes: made of the schemas that check the requests. */
export function openApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const operation: Json = {
      operationId: route.name,
      summary: route.summary,
      parameters: parameters(route),
      ...(route.body === undefined
        ? {}
        : {
            requestBody: {
              description: route.body.description,
              required: route.body.optional !== true,
              content: {
                [route.body.type]: {
                  ...(route.body.schema === undefined
                    ? {}
                    : { schema: jsonSchema(route.body.schema, "input") }),
                },
              },
            },
          }),
      responses: responses(route),
      ...(route.role === undefined ? { security: [] } : { security: [{}, { token: [] }] }),
      ...(route.role === undefined ? {} : { "x-dnd-role": route.role }),
    };
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operation;
    if (route.method === "GET") {
      (paths[route.path] ??= {})["head"] = {
        ...operation,
        operationId: `${route.name}Head`,
        summary: `${route.summary}: the head only`,
      };
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "dnd",
      version,
      description: "A masterless replicated key-value store: the API of one node.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: { Problem: jsonSchema(problemSchema, "output") },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

/** Serves the document. */
export function openApiRoute(routes: readonly Route[]): Route {
  let text: string | undefined;
  const route: Route = {
    method: "GET",
    path: "/openapi.json",
    name: "openapi",
    summary: "This document",
    role: "read",
    query: noQuery,
    answers: { 200: { description: "OpenAPI 3.1", type: "application/json" } },
    problems: ["internal"],
    handle: (exchange) => {
      readQuery(exchange, noQuery);
      const { version } = exchange.context.node.clusterInfo();
      text ??= JSON.stringify(openApi([...routes, route], version));
      return jsonAnswer(text);
    },
  };
  return route;
}
