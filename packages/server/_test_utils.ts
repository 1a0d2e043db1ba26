import { connect, type Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeOptions } from "./node_options.ts";
import type { DndNode } from "./dnd_node.ts";
import { startNode, type StartHooks } from "./start_node.ts";
import { AloneLink } from "./peer/_alone_link.ts";

/** A node without a network, for tests of HTTP. */
export interface AloneNode {
  readonly node: DndNode;
  readonly link: AloneLink;
  readonly port: number;
  readonly url: string;
}

/** Starts a node in memory that opens HTTP on a free port and no other socket. */
export async function startAlone(
  options: NodeOptions = {},
  hooks: StartHooks = {},
): Promise<AloneNode> {
  const made: AloneLink[] = [];
  const node = await startNode(
    { http: {}, ...options },
    {
      link: async ({ map }) => {
        const link = new AloneLink(map);
        made.push(link);
        return link;
      },
      ...hooks,
    },
  );
  const [link] = made;
  if (link === undefined) throw new Error("no link was made");
  const port = node.httpPort ?? 0;
  return { node, link, port, url: `http://127.0.0.1:${port}` };
}

/** An answer as it came over the socket. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Every byte, as Latin-1. */
  readonly raw: string;
}

/** Sends bytes as they are and reads until the other side closes, or until `enough` says so. */
export function sendRaw(
  port: number,
  text: string,
  enough: (raw: string) => boolean = () => false,
  timeoutMs = 20_000,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let raw = "";
    const socket: Socket = connect(port, "127.0.0.1");
    const done = (): void => {
      socket.destroy();
      resolve(parseAnswer(raw));
    };
    socket.setTimeout(timeoutMs, () => {
      socket.destroy();
      reject(new Error(`no end of the answer in ${timeoutMs} ms: ${JSON.stringify(raw)}`));
    });
    socket.on("data", (chunk: Buffer) => {
      raw += chunk.toString("latin1");
      if (enough(raw)) done();
    });
    socket.once("close", done);
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (raw === "") reject(error);
    });
    socket.write(Buffer.from(text, "latin1"));
  });
}

function parseAnswer(raw: string): RawAnswer {
  const end = raw.indexOf("\r\n\r\n");
  const [first = "", ...lines] = raw.slice(0, end === -1 ? raw.length : end).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const mark = line.indexOf(":");
    headers[line.slice(0, mark).toLowerCase()] = line.slice(mark + 1).trim();
  }
  return {
    status: Number(first.split(" ")[1] ?? 0),
    headers,
    body: end === -1 ? "" : raw.slice(end + 4),
    raw,
  };
}

/** Waits until a condition holds; the error says what was waited for. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not so in ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A folder that is removed again. */
export async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "dnd-server-"));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
