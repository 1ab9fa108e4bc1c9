/**
 * How the two ends of a channel agree on keys from the words of their code: SPAKE2 bound to this relay protocol, the
 * channel, the suite, the roles and the number of streams. What goes to the relay proves, once both have it, that the two
 * had the same words; the relay learns nothing of them, and can tell that the proof was opened.
 *
 *   x     := pA                          y    := pB
 *   hh_k  := cB, SHA-256(R)              h_k  := cA, R
 *   R     := HKDF(Ke, "chrove relay proof", channel)
 */
import { hkdf } from '@noble/hashes/hkdf.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { equalBytes, utf8 } from '../bytes.ts'
import {
  scalarEntropyBytes,
  scalarFrom,
  scheduleOf,
  sharedElement,
  shareOf,
  type Side,
  transcriptOf,
} from './spake2.ts'
import { type SuiteName, suiteOf } from './suites.ts'

export const ROLES = ['sender', 'recipient'] as const
export type Role = (typeof ROLES)[number]

export const otherRole = (role: Role): Role => (role === 'sender' ? 'recipient' : 'sender')

const VERSION = 'chrove relay 1'
const SIDES = { sender: 'A', recipient: 'B' } as const satisfies Record<Role, Side>
/** Of R, and of its hash. */
const PROOF_BYTES = 32
/** What each end adds to the keys of one connection. */
export const STREAM_SALT_BYTES = 32
/**
 * 32 MiB and about a tenth of a second for each guess of whoever has broken the group, and only for them: all others get
 * one guess, however cheap.
 */
const SCRYPT = { N: 2 ** 15, r: 8, p: 1 } as const

export interface AgreementTerms {
  readonly suite: SuiteName
  /** The channel's name at the relay. */
  readonly channel: string
  readonly role: Role
  readonly words: readonly string[]
}

/** What both ends come to when they had the same words. */
export interface Agreed {
  /** From recipient to sender, by way of the relay. */
  readonly hhK: Uint8Array
  /** From sender to recipient. */
  readonly hK: Uint8Array
  /** 32 bytes; all keys of the channel come from it. */
  readonly session: Uint8Array
}

export interface Agreement {
  /** `x` of the sender, `y` of the recipient. */
  readonly share: Uint8Array
  /**
   * @param streams that both ends use
   * @throws ERR_PAKE_SHARE
   */
  agree(peerShare: Uint8Array, streams: number): Agreed
}

export const agreementEntropyBytes = (suite: SuiteName): number => scalarEntropyBytes(suiteOf(suite))

/** @param entropy `agreementEntropyBytes` fresh uniform bytes, which are wiped */
export const beginAgreement = (
  { suite: name, channel, role, words }: AgreementTerms,
  entropy: Uint8Array,
): Agreement => {
  const suite = suiteOf(name)
  const side = SIDES[role]
  const stretched = scrypt(utf8(words.join('-')), utf8(`${VERSION} ${name} ${channel}`), {
    ...SCRYPT,
    dkLen: scalarEntropyBytes(suite),
  })
  const w = scalarFrom(suite, stretched)
  const secret = scalarFrom(suite, entropy)
  stretched.fill(0)
  entropy.fill(0)
  const share = shareOf(suite, side, w, secret)
  const identity = (of: Role) => utf8(`${VERSION} ${of} ${name} ${channel}`)

  return {
    share,
    agree(peerShare, streams) {
      const [pA, pB] = side === 'A' ? [share, peerShare] : [peerShare, share]
      const K = sharedElement(suite, side, w, secret, peerShare)
      const transcript = transcriptOf(suite, { A: identity('sender'), B: identity('recipient'), pA, pB, K, w })
      const { Ke, Ka, KcA, KcB, cA, cB } = scheduleOf(
        suite,
        transcript,
        concatBytes(utf8(VERSION), Uint8Array.of(streams)),
      )
      const derive = (use: string) => hkdf(sha256, Ke, undefined, utf8(`chrove relay ${use}${channel}`), PROOF_BYTES)
      const proof = derive('proof')
      const agreed = {
        hhK: concatBytes(cB, sha256(proof)),
        hK: concatBytes(cA, proof),
        session: derive('session'),
      }
      for (const spent of [K, transcript, Ke, Ka, KcA, KcB, proof]) spent.fill(0)
      return agreed
    },
  }
}

/** Whether what the relay handed on is what the peer must have sent; takes the same time for every wrong answer. */
export const isProof = (expected: Uint8Array, given: Uint8Array): boolean => equalBytes(expected, given)

/** What the relay can tell: whether `h_k` opens what `hh_k` committed to. */
export const opensProof = (hhK: Uint8Array, hK: Uint8Array): boolean =>
  hhK.length === hK.length &&
  hK.length > PROOF_BYTES &&
  equalBytes(sha256(hK.subarray(-PROOF_BYTES)), hhK.subarray(-PROOF_BYTES))

export interface StreamSalts {
  /** 32 bytes that each end drew for this very connection, so that no key comes back however the relay replays. */
  readonly sender: Uint8Array
  readonly recipient: Uint8Array
}

/** The key that one end of one connection seals with. */
export const streamKey = (session: Uint8Array, stream: number, from: Role, salts: StreamSalts): Uint8Array =>
  hkdf(
    sha256,
    session,
    concatBytes(salts.sender, salts.recipient),
    utf8(`${VERSION} stream ${stream} from ${from}`),
    32,
  )

/** 32 bytes that both ends share, for whatever the channel is used for. */
export const sharedSecret = (session: Uint8Array): Uint8Array =>
  hkdf(sha256, session, undefined, utf8(`${VERSION} shared secret`), 32)
