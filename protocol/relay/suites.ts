/**
 * The groups that a channel's two sides can agree in, with the fixed points M and N of SPAKE2, whose discrete logarithms
 * nobody knows. @see RFC 9382 §4 for the NIST curves; for siec, `protocol/vectors/siec-255.json`
 */
import { weierstrass, type WeierstrassPointCons } from '@noble/curves/abstract/weierstrass.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { hexToBytes } from '@noble/hashes/utils.js'

/** `siec` is the curve that the original named; no RFC has it, and a relay offers it only when it is told to. */
export const SUITE_NAMES = ['p256', 'p384', 'p521', 'siec'] as const
export type SuiteName = (typeof SUITE_NAMES)[number]

type Group = WeierstrassPointCons<bigint>
type Point = InstanceType<Group>

export interface Suite {
  readonly name: SuiteName
  readonly group: Group
  readonly M: Point
  readonly N: Point
  readonly hash: typeof sha256 | typeof sha512
  /** Of a scalar, as the transcript has it. */
  readonly orderBytes: number
  /** Of a share: an uncompressed point. */
  readonly shareBytes: number
}

const suite = (name: SuiteName, group: Group, hash: Suite['hash'], M: string, N: string): Suite => ({
  name,
  group,
  M: group.fromBytes(hexToBytes(M)),
  N: group.fromBytes(hexToBytes(N)),
  hash,
  orderBytes: group.Fn.BYTES,
  shareBytes: 1 + 2 * group.Fp.BYTES,
})

const siecGroup = (): Group =>
  weierstrass({
    p: 0x4000000000000000000000000200104080000000000000000004004103082041n,
    n: 0x4000000000000000000000000200103f800000000000000000040040ff07ffc1n,
    h: 1n,
    a: 0n,
    b: 19n,
    Gx: 5n,
    Gy: 12n,
  })

/** Built when first used: the points are decompressed, and most programs need one suite. */
const makers: Readonly<Record<SuiteName, () => Suite>> = {
  p256: () =>
    suite(
      'p256',
      p256.Point,
      sha256,
      '02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f',
      '03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49',
    ),
  p384: () =>
    suite(
      'p384',
      p384.Point,
      sha512,
      '030ff0895ae5ebf6187080a82d82b42e2765e3b2f8749c7e05eba366434b363d3dc36f15314739074d2eb8613fceec2853',
      '02c72cf2e390853a1c1c4ad816a62fd15824f56078918f43f922ca21518f9c543bb252c5490214cf9aa3f0baab4b665c10',
    ),
  p521: () =>
    suite(
      'p521',
      p521.Point,
      sha512,
      '02003f06f38131b2ba2600791e82488e8d20ab889af753a41806c5db18d37d85608cfae06b82e4a72cd744c719193562a653ea1f119eef9356907edc9b56979962d7aa',
      '0200c7924b9ec017f3094562894336a53c50167ba8c5963876880542bc669e494b2532d76c5b53dfb349fdf69154b9e0048c58a42e8ed04cef052a3bc349d95575cd25',
    ),
  siec: () =>
    suite(
      'siec',
      siecGroup(),
      sha256,
      '0216135b7b494091042c77096cdf8a11eaaf1a1a025a600270882171afb89c9037',
      '022bf2306a81a44fd24fc95bd127e0a3596540d3cbecb95d4280f1139a719ab5e4',
    ),
}

const built = new Map<SuiteName, Suite>()

export const suiteOf = (name: SuiteName): Suite => {
  const known = built.get(name) ?? makers[name]()
  built.set(name, known)
  return known
}
