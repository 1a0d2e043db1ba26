// Made from dnd.proto by tools/make_descriptor.mjs. Do not edit.
import type { INamespace } from "protobufjs/light.js";

/** `dnd.proto` as protobufjs reads it. */
export const descriptor: INamespace = {
  nested: {
    dnd: {
      nested: {
        v1: {
          nested: {
            Entry: {
              fields: {
                space: { type: "uint32", id: 1 },
                key: { type: "string", id: 2 },
                time: { type: "uint64", id: 3 },
                node: { type: "bytes", id: 4 },
                deleted: { type: "bool", id: 5 },
                expiresAt: { type: "uint64", id: 6 },
                contentType: { type: "string", id: 7 },
                value: { type: "bytes", id: 8 },
                contentHash: { type: "bytes", id: 9 },
              },
            },
            Update: {
              fields: {
                counter: { type: "uint64", id: 1 },
                entries: { rule: "repeated", type: "Entry", id: 2 },
              },
            },
            EntryPart: {
              fields: {
                entry: { type: "Entry", id: 1 },
                offset: { type: "uint64", id: 2 },
                total: { type: "uint64", id: 3 },
                bytes: { type: "bytes", id: 4 },
              },
            },
            MemberState: {
              values: {
                UNKNOWN: 0,
                ALIVE: 1,
                SUSPECT: 2,
                STOPPED: 3,
                DEAD: 4,
                LEFT: 5,
                FORGOTTEN: 6,
              },
            },
            Member: {
              fields: {
                id: { type: "bytes", id: 1 },
                generation: { type: "uint64", id: 2 },
                incarnation: { type: "uint64", id: 3 },
                state: { type: "MemberState", id: 4 },
                address: { type: "string", id: 5 },
                name: { type: "string", id: 6 },
                metadata: { type: "bytes", id: 7 },
                flags: { type: "uint32", id: 8 },
                protocolMin: { type: "uint32", id: 9 },
                protocolMax: { type: "uint32", id: 10 },
                seen: { type: "uint64", id: 11 },
                departed: { type: "uint64", id: 12 },
                accuser: { type: "bytes", id: 13 },
                evidence: { type: "uint32", id: 14 },
                bootId: { type: "bytes", id: 15 },
              },
            },
            Summary: {
              fields: {
                clock: { type: "uint64", id: 1 },
                generation: { type: "uint64", id: 2 },
                counter: { type: "uint64", id: 3 },
                digest: { type: "bytes", id: 4 },
                algorithm: { type: "uint32", id: 5 },
                scope: { type: "bytes", id: 6 },
                horizon: { type: "uint64", id: 7 },
                flags: { type: "uint32", id: 8 },
                seen: { type: "uint64", id: 9 },
              },
            },
            Ping: {
              fields: {
                sequence: { type: "uint64", id: 1 },
                target: { type: "bytes", id: 2 },
                summary: { type: "Summary", id: 3 },
              },
            },
            Ack: {
              fields: {
                sequence: { type: "uint64", id: 1 },
                summary: { type: "Summary", id: 2 },
                target: { type: "bytes", id: 3 },
              },
            },
            PingRequest: {
              fields: {
                sequence: { type: "uint64", id: 1 },
                target: { type: "bytes", id: 2 },
                address: { type: "string", id: 3 },
                nack: { type: "bool", id: 4 },
              },
            },
            Nack: {
              fields: { sequence: { type: "uint64", id: 1 }, target: { type: "bytes", id: 2 } },
            },
            Refusal: {
              fields: {
                code: { type: "string", id: 1 },
                detail: { type: "string", id: 2 },
                retryAfterMs: { type: "uint64", id: 3 },
              },
            },
            Envelope: {
              oneofs: { message: { oneof: ["ping", "ack", "pingRequest", "nack", "refusal"] } },
              fields: {
                protocolVersion: { type: "uint32", id: 1 },
                cluster: { type: "string", id: 2 },
                senderId: { type: "bytes", id: 3 },
                generation: { type: "uint64", id: 4 },
                incarnation: { type: "uint64", id: 5 },
                wall: { type: "uint64", id: 6 },
                view: { type: "fixed32", id: 7 },
                ping: { type: "Ping", id: 10 },
                ack: { type: "Ack", id: 11 },
                pingRequest: { type: "PingRequest", id: 12 },
                nack: { type: "Nack", id: 13 },
                refusal: { type: "Refusal", id: 14 },
                members: { rule: "repeated", type: "Member", id: 20 },
                updates: { rule: "repeated", type: "bytes", id: 21 },
                padding: { type: "bytes", id: 30 },
              },
            },
            Hello: {
              fields: {
                protocolMin: { type: "uint32", id: 1 },
                protocolMax: { type: "uint32", id: 2 },
                cluster: { type: "string", id: 3 },
                id: { type: "bytes", id: 4 },
                generation: { type: "uint64", id: 5 },
                bootId: { type: "bytes", id: 6 },
                purpose: { type: "string", id: 7 },
                algorithm: { type: "uint32", id: 8 },
                scope: { type: "bytes", id: 9 },
                partitionLevel: { type: "uint32", id: 10 },
                wall: { type: "uint64", id: 11 },
                clock: { type: "uint64", id: 12 },
                target: { type: "bytes", id: 13 },
                address: { type: "string", id: 14 },
              },
            },
            MemberPage: {
              fields: {
                members: { rule: "repeated", type: "Member", id: 1 },
                last: { type: "bool", id: 2 },
              },
            },
            Heard: {
              fields: {
                id: { type: "bytes", id: 1 },
                generation: { type: "uint64", id: 2 },
                time: { type: "uint64", id: 3 },
              },
            },
            ExchangeOpen: {
              fields: {
                heard: { rule: "repeated", type: "Heard", id: 1 },
                seen: { type: "uint64", id: 2 },
                horizon: { type: "uint64", id: 3 },
                clock: { type: "uint64", id: 4 },
                ready: { type: "bool", id: 5 },
                reason: { type: "string", id: 6 },
                counter: { type: "uint64", id: 7 },
                keys: { type: "uint64", id: 8 },
                bytes: { type: "uint64", id: 9 },
                below: { type: "uint64", id: 10 },
                copies: { type: "bool", id: 11 },
                anchored: { type: "bool", id: 12 },
              },
            },
            DigestRequest: {
              fields: {
                level: { type: "uint32", id: 1 },
                indexes: { rule: "repeated", type: "uint32", id: 2 },
              },
            },
            DigestReply: {
              fields: {
                level: { type: "uint32", id: 1 },
                indexes: { rule: "repeated", type: "uint32", id: 2 },
                children: { rule: "repeated", type: "bytes", id: 3 },
              },
            },
            LeafSums: {
              fields: {
                level: { type: "uint32", id: 1 },
                index: { type: "uint32", id: 2 },
                fingerprints: { type: "bytes", id: 3 },
              },
            },
            LeafWant: {
              fields: {
                sequence: { type: "uint64", id: 1 },
                leaves: { rule: "repeated", type: "uint32", id: 2 },
              },
            },
            CopyWant: {
              fields: { sequence: { type: "uint64", id: 1 }, after: { type: "string", id: 2 } },
            },
            LeafItem: {
              fields: {
                key: { type: "string", id: 1 },
                time: { type: "uint64", id: 2 },
                node: { type: "bytes", id: 3 },
                contentHash: { type: "bytes", id: 4 },
                deleted: { type: "bool", id: 5 },
              },
            },
            LeafList: {
              fields: {
                level: { type: "uint32", id: 1 },
                index: { type: "uint32", id: 2 },
                items: { rule: "repeated", type: "LeafItem", id: 3 },
                missing: { type: "bytes", id: 4 },
                last: { type: "bool", id: 5 },
              },
            },
            Want: {
              fields: {
                sequence: { type: "uint64", id: 1 },
                keys: { rule: "repeated", type: "string", id: 2 },
              },
            },
            Sent: {
              fields: {
                sequence: { type: "uint64", id: 1 },
                gone: { rule: "repeated", type: "string", id: 2 },
              },
            },
            ExchangeDone: {
              fields: {
                complete: { type: "bool", id: 1 },
                refused: { type: "uint64", id: 2 },
                entries: { type: "uint64", id: 3 },
                bytes: { type: "uint64", id: 4 },
                cutoff: { type: "uint64", id: 5 },
                code: { type: "string", id: 6 },
              },
            },
            Confirm: {
              fields: {
                sequence: { type: "uint64", id: 1 },
                superseded: { type: "bool", id: 2 },
                code: { type: "string", id: 3 },
                time: { type: "uint64", id: 4 },
                node: { type: "bytes", id: 5 },
              },
            },
            Push: {
              fields: {
                sequence: { type: "uint64", id: 1 },
                entries: { rule: "repeated", type: "Entry", id: 2 },
                confirm: { type: "bool", id: 3 },
              },
            },
            ExplainRequest: {
              fields: { sequence: { type: "uint64", id: 1 }, key: { type: "string", id: 2 } },
            },
            ExplainReply: {
              fields: {
                sequence: { type: "uint64", id: 1 },
                entry: { type: "Entry", id: 2 },
                size: { type: "uint64", id: 3 },
                appliedAt: { type: "uint64", id: 4 },
              },
            },
            Frame: {
              oneofs: {
                body: {
                  oneof: [
                    "hello",
                    "refusal",
                    "probe",
                    "probeAck",
                    "memberPage",
                    "exchangeOpen",
                    "digestRequest",
                    "digestReply",
                    "leafList",
                    "want",
                    "entries",
                    "entryPart",
                    "exchangeDone",
                    "leafSums",
                    "leafWant",
                    "push",
                    "confirm",
                    "explainRequest",
                    "explainReply",
                    "sent",
                    "copyWant",
                  ],
                },
              },
              fields: {
                hello: { type: "Hello", id: 1 },
                refusal: { type: "Refusal", id: 2 },
                probe: { type: "Ping", id: 3 },
                probeAck: { type: "Ack", id: 4 },
                memberPage: { type: "MemberPage", id: 5 },
                exchangeOpen: { type: "ExchangeOpen", id: 10 },
                digestRequest: { type: "DigestRequest", id: 11 },
                digestReply: { type: "DigestReply", id: 12 },
                leafList: { type: "LeafList", id: 13 },
                want: { type: "Want", id: 14 },
                entries: { type: "Update", id: 15 },
                entryPart: { type: "EntryPart", id: 16 },
                exchangeDone: { type: "ExchangeDone", id: 17 },
                leafSums: { type: "LeafSums", id: 18 },
                leafWant: { type: "LeafWant", id: 19 },
                push: { type: "Push", id: 20 },
                confirm: { type: "Confirm", id: 21 },
                explainRequest: { type: "ExplainRequest", id: 22 },
                explainReply: { type: "ExplainReply", id: 23 },
                sent: { type: "Sent", id: 24 },
                copyWant: { type: "CopyWant", id: 25 },
              },
            },
          },
        },
      },
    },
  },
};
