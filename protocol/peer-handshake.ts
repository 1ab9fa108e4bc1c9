/**
 * How two clients that were introduced make a connection theirs: signed Diffie–Hellman (ISO/IEC 9798-3, whose signatures
 * cover both shares and both names), on any stream of bytes, whichever of the two made it. Shares are fresh, so that keys
 * taken later open nothing that was said before. Pure: shares come from the caller's randomness.
 *
 *   knock   := "chrove-peer-1" (13 bytes), SHA-256 over the request and who knocks (32 bytes); from whom the connection is,
 *              so that a stranger who finds an open port learns nothing from it
 *   first   := the source's share (32 bytes, X25519)
 *   second  := the target's share (32 bytes), its signature, sealed
 *   third   := the source's signature, sealed; sent on one connection only, which is so the one that both use
 *
 * Signatures are those of a JWS RS256 with detached content (RFC 7515, Appendix F): the side that signs and SHA-256 of the
 * transcript, which is all of the above and the server's name, the request, both UUIDs and both keys. Keys of the four
 * directions are HKDF-SHA-256 of the shared secret, salted with the same hash.
 */
import { x25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { base64url, equalBytes, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import type { Jose } from './jose.ts'
import { canonicalJson } from './json.ts'
import { type RsaPrivateKey, type RsaPublicKey } from './keys.ts'
import { AEAD_NONCE_BYTES, AEAD_TAG_BYTES, type CreateAead } from './relay/aead.ts'
import { thumbprintText } from './rendezvous/registration.ts'

export type Side = 'source' | 'target'

/** Who is to be connected, as both know it before they begin. */
export interface Meeting {
  readonly server: string
  readonly request: string
  readonly source: Party
  readonly target: Party
}

interface Party {
  readonly uuid: string
  readonly key: RsaPublicKey
}

/** 32 bytes for each direction, from the side that has them. */
export interface PeerKeys {
  readonly sending: Uint8Array
  readonly receiving: Uint8Array
}

export interface HandshakeTools {
  readonly jose: Jose
  readonly createAead: CreateAead
  readonly privateKey: RsaPrivateKey
  /** 32 fresh random bytes, used for this connection alone. */
  readonly secret: Uint8Array
}

const MAGIC = utf8('chrove-peer-1')
export const SHARE_BYTES = 32
export const KNOCK_BYTES = MAGIC.length + 32
const PURPOSE = 'chrove peer'
const JWS_HEADER = base64url.encode(utf8('{"alg":"RS256"}'))
const KEY_BYTES = 32

export const otherSide = (side: Side): Side => (side === 'source' ? 'target' : 'source')

/** The first bytes on a connection, from the side that made it. */
export const knockOf = (request: string, dialer: Side): Uint8Array =>
  concatBytes(MAGIC, sha256(utf8(`chrove peer knock ${request} ${dialer}`)))

/** Whether this is the knock of that side; the comparison takes the same time for all. */
export const isKnock = (bytes: Uint8Array, request: string, dialer: Side): boolean =>
  equalBytes(bytes, knockOf(request, dialer))

/** Bytes of a sealed signature by this key. */
const sealedBytes = ({ n }: RsaPublicKey): number => base64url.decode(n).length + AEAD_TAG_BYTES

interface Derived {
  readonly digest: Uint8Array
  /** For one signature of that side. */
  sealingKey(of: Side): Uint8Array
  keys(of: Side): PeerKeys
}

const derive = (
  meeting: Meeting,
  dialer: Side,
  secret: Uint8Array,
  shares: Readonly<Record<Side, Uint8Array>>,
  own: Side,
): Derived => {
  const party = ({ uuid, key }: Party, share: Uint8Array) => ({
    uuid,
    key: thumbprintText(key),
    share: base64url.encode(share),
  })
  const { server, request } = meeting
  const source = party(meeting.source, shares.source)
  const target = party(meeting.target, shares.target)
  const digest = sha256(canonicalJson({ purpose: PURPOSE, server, request, dialer, source, target }))
  const okm = hkdf(sha256, agree(secret, shares[otherSide(own)]), digest, utf8(PURPOSE), 4 * KEY_BYTES)
  const key = (place: number) => okm.slice(place * KEY_BYTES, (place + 1) * KEY_BYTES)
  const places = { source: 2, target: 3 } as const
  return {
    digest,
    sealingKey: (of) => key(places[of] - 2),
    keys: (of) => ({ sending: key(places[of]), receiving: key(places[otherSide(of)]) }),
  }
}

/** @throws ERR_PEER_HANDSHAKE for a share with which no secret can be agreed */
const agree = (secret: Uint8Array, share: Uint8Array): Uint8Array => {
  try {
    return x25519.getSharedSecret(secret, share)
  } catch (cause) {
    throw failed(cause)
  }
}

const signedBytes = (digest: Uint8Array, signer: Side): Uint8Array =>
  canonicalJson({ purpose: PURPOSE, signer, transcript: base64url.encode(digest) })

/** A key that seals one message needs no counter. */
const NONCE = new Uint8Array(AEAD_NONCE_BYTES)
const NO_HEADER = new Uint8Array()

const sealSignature = async (tools: HandshakeTools, derived: Derived, signer: Side): Promise<Uint8Array> => {
  const { jose, createAead, privateKey } = tools
  const { signature } = await jose.sign(signedBytes(derived.digest, signer), privateKey)
  return concatBytes(...createAead(derived.sealingKey(signer)).seal(NONCE, NO_HEADER, base64url.decode(signature)))
}

/** @throws ERR_PEER_HANDSHAKE, the same for every reason */
const checkSignature = async (
  { jose, createAead }: HandshakeTools,
  derived: Derived,
  signer: Side,
  sealed: Uint8Array,
  key: RsaPublicKey,
): Promise<void> => {
  const length = sealed.length - AEAD_TAG_BYTES
  const aead = createAead(derived.sealingKey(signer))
  const signature = aead.open(NONCE, NO_HEADER, sealed.subarray(0, length), sealed.subarray(length))
  if (signature === undefined) throw failed()
  const payload = base64url.encode(signedBytes(derived.digest, signer))
  try {
    await jose.verify({ payload, protected: JWS_HEADER, signature: base64url.encode(signature) }, key)
  } catch (cause) {
    throw failed(cause)
  }
}

const failed = (cause?: unknown) =>
  new ProtocolError('ERR_PEER_HANDSHAKE', 'whoever answers there is not the client that was asked for', { cause })

export interface SourceHandshake {
  readonly first: Uint8Array
  readonly secondBytes: number
  /**
   * Checks that it is the target who answers.
   * @throws ERR_PEER_HANDSHAKE
   */
  check(second: Uint8Array): Promise<Proven>
}

interface Proven {
  /** To be sent on the one connection that is to be used. */
  third(): Promise<Uint8Array>
  readonly keys: PeerKeys
}

export const beginAsSource = (meeting: Meeting, dialer: Side, tools: HandshakeTools): SourceHandshake => {
  const first = x25519.getPublicKey(tools.secret)
  return {
    first,
    secondBytes: SHARE_BYTES + sealedBytes(meeting.target.key),
    async check(second) {
      const shares = { source: first, target: second.slice(0, SHARE_BYTES) }
      const derived = derive(meeting, dialer, tools.secret, shares, 'source')
      await checkSignature(tools, derived, 'target', second.subarray(SHARE_BYTES), meeting.target.key)
      return { third: () => sealSignature(tools, derived, 'source'), keys: derived.keys('source') }
    },
  }
}

export interface TargetHandshake {
  readonly second: Uint8Array
  readonly thirdBytes: number
  /**
   * Checks that it is the source, and that it wants this connection.
   * @throws ERR_PEER_HANDSHAKE
   */
  check(third: Uint8Array): Promise<PeerKeys>
}

/**
 * @param first 32 bytes
 * @throws ERR_PEER_HANDSHAKE
 */
export const answerAsTarget = async (
  meeting: Meeting,
  dialer: Side,
  tools: HandshakeTools,
  first: Uint8Array,
): Promise<TargetHandshake> => {
  const share = x25519.getPublicKey(tools.secret)
  const derived = derive(meeting, dialer, tools.secret, { source: first, target: share }, 'target')
  return {
    second: concatBytes(share, await sealSignature(tools, derived, 'target')),
    thirdBytes: sealedBytes(meeting.source.key),
    async check(third) {
      await checkSignature(tools, derived, 'source', third, meeting.source.key)
      return derived.keys('target')
    },
  }
}
