/**
 * One exchange between two replicas, as a state machine over frames; both sides run this class.
 *
 *     opener                                   server
 *       member pages                    ->
 *                                       <-     member pages
 *       (own record again, if forgotten)
 *       open: heard, seen, horizon      ->
 *                                       <-     open, or refusal "busy"
 *       both forget up to the higher horizon, in slices; then one of them drives the walk:
 *       sums, fingerprints, wants       ->
 *                                       <-     sums, lists, entries
 *       entries                         ->
 *       done                            ->
 *                                       <-     done
 *
 * The opener drives, unless the server alone missed reaped deletes, is not ready or was alone until now:
 * who has to set entries aside, or to keep deletes that nobody counted yet, must see both sides of each leaf.
 * Promises (`heard`, `seen`) move only if both say that it was complete;
 * what was moved by a session that was cut stays, and the next walk does not go there again: the
 * digest is what makes a session resumable.
 */
import type { Entry } from "@dnd/store";
import { compareVersions, StorageError } from "@dnd/store";
import type {
  ExchangeHost,
  ExchangeResult,
  ExchangeTerms,
  OwnOpen,
  SessionView,
} from "./_exchange_host.ts";
import { ExchangeServe } from "./_exchange_serve.ts";
import { settleTerms } from "./_exchange_terms.ts";
import { ExchangeWalk } from "./_exchange_walk.ts";
import type { SizedFrame } from "./entry_frames.ts";
import { entryBytes } from "./entry_bytes.ts";
import { ExchangeError, expectPeer } from "./exchange_error.ts";
import { FrameFlow } from "./_frame_flow.ts";
import { PartAssembler } from "./part_assembler.ts";
import { peekSafely } from "./replica_map.ts";
import type { ExchangePromise } from "./member_table.ts";
import type { ExchangeDone, ExchangeOpen, Member, MemberPage } from "@dnd/protocol";
import type { OutgoingMember, PeerFrame } from "./wire.ts";

/** How a session begins. */
export interface ExchangeSessionOptions {
  readonly stream: number;
  readonly peer: string;
  readonly role: "opener" | "server";
  /** `join`, `difference`, `dropped`, `healed`, `periodic`, `leave`, `returned`; of a server: the opener tells. */
  readonly reason: string;
  readonly now: number;
}

type DoneMessage = Omit<ExchangeDone, "extra">;

type Phase = "pages" | "open" | "reap" | "compare" | "done" | "ended";

const MEMBERS_PER_PAGE = 200;
const MAX_PAGES = 64;
const TICK_MS = 1000;

/** Characters of a reason that a peer gives: it goes into logs. */
const MAX_REASON = 32;

/** See the top of this file. */
export class ExchangeSession implements SessionView {
  readonly stream: number;
  readonly peer: string;
  readonly role: "opener" | "server";
  readonly startedAt: number;
  reason: string;
  result: ExchangeResult | undefined;
  received = 0;
  bytesReceived = 0;
  /** Entries that were new here. */
  applied = 0;

  readonly #host: ExchangeHost;
  readonly #parts = new PartAssembler();
  readonly #flow: FrameFlow;
  #phase: Phase = "pages";
  #pages = 0;
  #members: Member[] = [];
  #ownOpen: OwnOpen | undefined;
  #peerOpen: ExchangeOpen | undefined;
  #terms: ExchangeTerms | undefined;
  #walk: ExchangeWalk | undefined;
  #serve: ExchangeServe | undefined;
  #damaged: Set<string> | undefined;
  #doneSent = false;
  #refused = 0;
  #early = Infinity;
  #progressAt: number;

  constructor(host: ExchangeHost, options: ExchangeSessionOptions) {
    this.#host = host;
    this.stream = options.stream;
    this.#flow = new FrameFlow(host, options.stream);
    this.peer = options.peer;
    this.role = options.role;
    this.reason = options.reason;
    this.startedAt = options.now;
    this.#progressAt = options.now;
  }

  /** Entries and bytes that were sent. */
  get sent(): number {
    return this.#flow.entries;
  }

  get bytesSent(): number {
    return this.#flow.bytes;
  }

  /** What the peer said it holds; for progress. */
  get peerOpen(): ExchangeOpen | undefined {
    return this.#peerOpen;
  }

  /** Begins: the opener sends its member table. */
  start(now: number): void {
    this.#host.wake(this.stream, TICK_MS);
    if (this.role === "opener") this.#sendPages(this.#host.members());
    this.#pump(now);
  }

  /** Takes a frame of the peer. */
  handleFrame(frame: PeerFrame, now: number): void {
    if (this.#phase === "ended") return;
    this.#progressAt = now;
    try {
      this.#handle(frame, now);
      this.#pump(now);
    } catch (error) {
      if (error instanceof StorageError) this.#end(now, "storage", { error: error.message });
      else if (error instanceof ExchangeError) {
        this.#end(now, error.code, { error: error.message });
      } else throw error;
    }
  }

  /** A frame that was sent has been taken by the stream. */
  handleSent(now: number): void {
    if (!this.#flow.handleSent() || this.#phase === "ended") return;
    this.#progressAt = now;
    this.#pump(now);
  }

  /** Looks after time: limits, slices, spacing. */
  handleTimer(now: number): void {
    if (this.#phase === "ended") return;
    if (now - this.#progressAt > this.#host.options.stallMs) {
      this.#end(now, "stalled", { error: `no progress for ${now - this.#progressAt} ms` });
      return;
    }
    if (now - this.startedAt > 2 * this.#host.options.sessionMs) {
      this.#end(now, "time", { error: "the session does not end" });
      return;
    }
    this.#pump(now);
    if (!this.#isEnded()) this.#host.wake(this.stream, TICK_MS);
  }

  /** The stream is gone. */
  handleClosed(now: number, reason = "closed"): void {
    if (this.#phase !== "ended") this.#end(now, reason, { closed: true });
  }

  /** Refuses to serve. */
  refuse(now: number, code: string, retryAfterMs: number): void {
    this.#flow.queue({ type: "refusal", code, retryAfterMs }, 32);
    this.#pump(now);
    this.#end(now, code, {});
  }

  #isEnded(): boolean {
    return this.#phase === "ended";
  }

  #handle(frame: PeerFrame, now: number): void {
    switch (frame.type) {
      case "refusal":
        this.#end(now, frame.code === "" ? "refused" : frame.code.slice(0, MAX_REASON), {
          retryAfterMs: frame.retryAfterMs,
        });
        return;
      case "memberPage":
        this.#handlePage(frame, now);
        return;
      case "exchangeOpen":
        this.#handleOpen(frame, now);
        return;
      case "entries":
        expectPeer(this.#terms !== undefined, "entries before the opening");
        this.#handleEntries(frame.entries, now);
        return;
      case "entryPart": {
        expectPeer(this.#terms !== undefined, "entries before the opening");
        const entry = this.#parts.add(frame);
        if (entry !== undefined) this.#handleEntries([entry], now);
        return;
      }
      case "exchangeDone":
        this.#handleDone(frame, now);
        return;
      case "sent":
        if (this.#damaged !== undefined && frame.sequence === 0) {
          this.#damaged = undefined;
          return;
        }
        expectPeer(this.#walk?.handle(frame, now) === true, "an answer before a question");
        return;
      default:
        expectPeer(this.#serve !== undefined, `a ${frame.type} before the opening`);
        if (this.#walk?.handle(frame, now) === true || this.#serve.handle(frame)) return;
        expectPeer(false, `a ${frame.type} in an exchange`);
    }
  }

  // ------------------------------------------------------------------------------------ opening

  #sendPages(members: readonly OutgoingMember[]): void {
    for (let i = 0; i === 0 || i < members.length; i += MEMBERS_PER_PAGE) {
      const page = members.slice(i, i + MEMBERS_PER_PAGE);
      const last = i + MEMBERS_PER_PAGE >= members.length;
      const bytes = page.reduce((sum, member) => sum + 128 + (member.metadata?.length ?? 0), 16);
      this.#flow.queue({ type: "memberPage", members: page, last }, bytes);
    }
  }

  #handlePage(page: MemberPage, now: number): void {
    expectPeer(
      this.#phase === "pages" || (this.#phase === "open" && this.role === "server"),
      "a member page in the middle",
    );
    this.#pages += 1;
    expectPeer(this.#pages <= MAX_PAGES, "too many member pages");
    expectPeer(page.members.length <= MEMBERS_PER_PAGE, "a member page that is too long");
    this.#members.push(...page.members);
    if (!page.last) return;
    const members = this.#members;
    this.#members = [];
    const reentered = this.#host.mergeMembers(this.peer, members, now);
    if (this.#phase === "open") return; // the peer's own record again
    this.#phase = "open";
    if (this.role === "server") {
      this.#sendPages(this.#host.members());
      return;
    }
    if (reentered) this.#sendPages(this.#host.members());
    this.#ownOpen = this.#host.opening(this.peer, this.reason, now);
    this.#queueOpen(this.#ownOpen);
  }

  #queueOpen(open: OwnOpen): void {
    this.#flow.queue({ type: "exchangeOpen", ...open }, 96 + open.heard.length * 36);
  }

  #handleOpen(open: ExchangeOpen, now: number): void {
    expectPeer(this.#phase === "open" && this.#peerOpen === undefined, "a second opening");
    this.#peerOpen = open;
    if (this.role === "server") {
      this.reason = open.reason === "" ? "unnamed" : open.reason.slice(0, MAX_REASON);
      const refusal = this.#host.admit(this);
      if (refusal !== undefined) {
        this.refuse(now, refusal.code, refusal.retryAfterMs);
        return;
      }
      this.#ownOpen = this.#host.opening(this.peer, this.reason, now);
      this.#queueOpen(this.#ownOpen);
    }
    const own = this.#ownOpen;
    expectPeer(own !== undefined, "an opening before its time");
    const { role, reason } = this;
    const onWaySince = this.#host.onWaySince(this.peer, now);
    const settled = settleTerms({ own, peer: open, role, reason, onWaySince }, now);
    const { terms, met, drives } = settled;
    this.#terms = terms;
    this.#serve = new ExchangeServe(this.#host, terms);
    if (drives) {
      const copyAfter = open.copies ? this.#host.copyAfter(this) : undefined;
      this.#walk = new ExchangeWalk(this.#host, this.peer, terms, copyAfter);
    }
    this.#phase = "reap";
    this.#host.settled(this, { terms, met }, now);
  }

  // ----------------------------------------------------------------------------------- comparing

  #reap(): void {
    const terms = this.#terms;
    const own = this.#ownOpen;
    if (terms === undefined || own === undefined) return;
    // Who is not ready, or below, forgets at the end: until then the session counts it as absent.
    if (own.ready && !terms.below && this.#host.reapSlice(terms.horizon)) {
      this.#host.wake(this.stream, 0);
      return;
    }
    this.#phase = "compare";
    if (this.#walk !== undefined || !terms.peerBelow) return;
    // A damaged key is not a reaped one (rule 6): ask for it before the peer sets its version aside.
    const keys = this.#host.map.damaged(500);
    if (keys.length === 0) return;
    this.#damaged = new Set(keys);
    this.#flow.queue({ type: "want", sequence: 0, keys }, 24 + keys.length * 32);
  }

  #handleEntries(entries: readonly Entry[], now: number): void {
    const terms = this.#terms;
    if (terms === undefined) return;
    let bytes = 24;
    for (const entry of entries) bytes += entryBytes(entry);
    this.bytesReceived += bytes;
    this.received += entries.length;
    const taken = terms.peerBelow ? entries.filter((entry) => this.#isWelcome(entry)) : entries;
    // Deletes may have been forgotten since the terms were made, of values that are older than the terms too: what
    // comes now is treated as a late rumor (rule 1).
    this.#merge(taken, { now, late: this.#host.map.horizon > terms.horizon });
    const last = entries.at(-1);
    if (last !== undefined && this.#walk?.isCopying === true) {
      this.#host.copied(last.key, bytes, now);
    }
  }

  /** What one who missed reaped deletes may bring: see `ExchangeWalk`. */
  #isWelcome({ key, version }: Entry): boolean {
    if (version.time > (this.#terms?.horizon ?? 0) || this.#damaged?.has(key) === true) return true;
    const held = peekSafely(this.#host.map, key);
    return held !== undefined && compareVersions(held.version, version) < 0;
  }

  #merge(
    entries: readonly Entry[],
    options: { readonly now: number; readonly late: boolean },
  ): void {
    if (entries.length === 0) return;
    const summary = this.#host.merge(this, entries, options);
    this.applied += summary.applied;
    this.#refused += summary.refused;
    this.#early = Math.min(this.#early, summary.early);
  }

  #overLimit(now: number): string {
    const { sessionMs, sessionBytes } = this.#host.options;
    if (now - this.startedAt > sessionMs) return "time";
    return this.bytesSent + this.bytesReceived > sessionBytes ? "bytes" : "";
  }

  // ----------------------------------------------------------------------------------------- end

  /**
   * Whether deletes that the peer has not seen were forgotten here since the terms were made: then it may
   * still hold what they deleted, and nothing that came tells it so. (A member counts in every horizon; one
   * that was forgotten and is back does not.)
   */
  #isOvertaken(): boolean {
    const { horizon } = this.#host.map;
    const seen = this.#peerOpen?.below ?? 0;
    return this.#host.ready && horizon > (this.#terms?.horizon ?? 0) && seen < horizon;
  }

  #doneMessage(reason: string): DoneMessage {
    const again = reason === "" && (this.#isOvertaken() || this.#host.isCrossed(this));
    const code = again ? "horizon" : reason;
    const young = this.#walk?.young === true || this.#serve?.young === true;
    const cutoff = this.#terms?.cutoff ?? Infinity;
    const refused = this.#refused > 0;
    return {
      complete: code === "" && !refused,
      refused: this.#refused,
      entries: this.sent,
      bytes: this.bytesSent,
      cutoff: young && Number.isFinite(cutoff) ? cutoff : 0,
      code: code !== "" ? code : refused ? "refused" : "",
    };
  }

  #sendDone(code: string): DoneMessage {
    const message = this.#doneMessage(code);
    this.#doneSent = true;
    this.#flow.queue({ type: "exchangeDone", ...message }, 48);
    return message;
  }

  #handleDone(theirs: ExchangeDone, now: number): void {
    expectPeer(this.#phase === "compare" || this.#phase === "done", "an end before the beginning");
    if (this.#walk !== undefined) {
      expectPeer(this.#doneSent, "an end that was not asked for");
      this.#conclude(this.#doneMessage(this.#limitCode), theirs, now);
      return;
    }
    const ours = this.#sendDone(theirs.complete ? "" : theirs.code || "refused");
    this.#pump(now);
    this.#conclude(ours, theirs, now);
  }

  #limitCode = "";

  #conclude(ours: DoneMessage, theirs: ExchangeDone, now: number): void {
    const complete = ours.complete && theirs.complete;
    const open = this.#peerOpen;
    let promise: ExchangePromise | undefined;
    if (complete && open !== undefined) {
      const cutoff = Math.min(theirs.cutoff === 0 ? Infinity : theirs.cutoff, this.#early - 1);
      promise = {
        clock: open.clock,
        seen: open.seen,
        heard: open.heard.map(({ id, time }) => [id, time] as const),
        cutoff,
      };
    }
    const code = complete ? "" : ours.code || theirs.code.slice(0, MAX_REASON) || "refused";
    this.#end(now, code, { promise });
  }

  #end(
    now: number,
    code: string,
    how: {
      readonly promise?: ExchangePromise | undefined;
      readonly error?: string;
      readonly closed?: boolean;
      readonly retryAfterMs?: number;
    },
  ): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.result = {
      complete: how.promise !== undefined,
      code,
      detail: how.error ?? "",
      retryAfterMs: how.retryAfterMs ?? 0,
      promise: how.promise,
      peerReady: this.#peerOpen?.ready ?? false,
      peerAnchored: this.#peerOpen?.anchored ?? false,
      terms: this.#terms,
    };
    if (how.closed !== true && (this.role === "opener" || how.error !== undefined)) {
      this.#host.close(this.stream, how.error);
    }
    this.#host.finished(this, this.result, now);
  }

  // ---------------------------------------------------------------------------------------- output

  #pump(now: number): void {
    if (this.#phase === "reap") this.#reap();
    this.#flow.pump(now, () => this.#next(now));
  }

  #next(now: number): SizedFrame | undefined {
    if (this.#phase !== "compare") return undefined;
    if (this.#damaged === undefined) {
      const answer = this.#serve?.next();
      if (answer !== undefined) return answer;
    }
    const walk = this.#walk;
    if (walk === undefined || this.#doneSent) return undefined;
    const limit = this.#overLimit(now);
    if (limit === "" && !walk.done) {
      const asked = walk.next();
      if (asked !== undefined || !walk.done) return asked;
    }
    this.#limitCode = limit !== "" && !walk.done ? limit : "";
    this.#sendDone(this.#limitCode);
    return this.#flow.shift();
  }
}
