import { createHash } from "node:crypto";

/** What a token allows; roles add up: `write` may read, `admin` may do everything. */
export type Role = "read" | "write" | "admin";

const rank: Readonly<Record<Role, number>> = { read: 1, write: 2, admin: 3 };

/** Whether a role is enough for what is asked. */
export function roleAllows(held: Role, wanted: Role): boolean {
  return rank[held] >= rank[wanted];
}

/**
 * The tokens of a node. They are kept as hashes: a lookup compares hashes, so its time says nothing
 * about a token.
 */
export class Tokens {
  readonly #roles: ReadonlyMap<string, Role>;

  /**
   * @param roles role by token
   * @throws {TypeError} for a role that is none, or a token that no header can carry (never saying it)
   */
  constructor(roles: Iterable<readonly [token: string, role: Role]>) {
    const byHash = new Map<string, Role>();
    for (const [token, role] of roles) {
      if (!Object.hasOwn(rank, role)) {
        throw new TypeError(`Cannot use the role ${String(role)}: write read, write or admin`);
      }
      if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
        throw new TypeError("Cannot use a token: write visible ASCII characters, without spaces");
      }
      const hash = hashOf(token);
      const before = byHash.get(hash);
      byHash.set(hash, before !== undefined && roleAllows(before, role) ? before : role);
    }
    this.#roles = byHash;
  }

  /** How many there are. */
  get size(): number {
    return this.#roles.size;
  }

  /** The role of a token; undefined if it is none. */
  roleOf(token: string): Role | undefined {
    return this.#roles.get(hashOf(token));
  }
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}

/**
 * Reads a token file: lines `role token`; empty lines and those that start with `#` are passed over.
 *
 * @param text the file
 * @param name its name, for messages
 * @throws {TypeError} naming the line (never the token)
 */
export function parseTokenFile(text: string, name: string): Tokens {
  const roles: [string, Role][] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return;
    const [role, token, more] = trimmed.split(/[ \t]+/);
    const where = `line ${index + 1} of ${name}`;
    if (role !== "read" && role !== "write" && role !== "admin") {
      throw new TypeError(`Cannot read ${where}: it must start with read, write or admin`);
    }
    if (token === undefined || more !== undefined || !/^[A-Za-z0-9._~+/=-]{8,512}$/.test(token)) {
      throw new TypeError(
        `Cannot read ${where}: write one token of 8 to 512 characters A-Z a-z 0-9 . _ ~ + / = -`,
      );
    }
    roles.push([token, role]);
  });
  if (roles.length === 0) throw new TypeError(`Cannot use ${name}: it names no token`);
  return new Tokens(roles);
}
