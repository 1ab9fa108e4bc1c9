/** Where an answer is from: a directory, and how far that is to be relied on, or the contract, and why. */
import type { Listing } from '../../chain/contracts.ts'
import { ZERO_ADDRESS, type Block } from '../../chain/types.ts'
import type { DirectoryMeta, DirectoryVendor } from '../../protocol/directory/answers.ts'
import { BuyerError, type BuyerErrorCode } from '../errors.ts'
import { DIRECTORY_LAG_SECONDS } from './limits.ts'

/** Something that a reader of a directory's answer should know. Codes are stable. */
export interface Warning {
  readonly code: 'WARN_DIRECTORY_BEHIND' | 'WARN_DIRECTORY_INCOMPLETE' | 'WARN_DIRECTORY_CONTRADICTS'
  readonly message: string
}

/** A directory as it says that it stands, and as it does. */
export interface DirectoryState extends DirectoryMeta {
  /** How old its newest block is by our clock. */
  readonly ageSeconds: number
  /** How much older that block is than the chain's own newest; undefined when the chain could not be asked. */
  readonly behindSeconds: number | undefined
}

export interface FromDirectory {
  readonly source: 'directory'
  readonly directory: DirectoryState
  readonly warnings: readonly Warning[]
}

export interface FromContract {
  readonly source: 'contract'
  /** Why no directory was used. */
  readonly because:
    Extract<BuyerErrorCode, `ERR_DIRECTORY_${string}`> | 'ERR_DIRECTORY_UNSET' | 'ERR_CURSOR_OF_CONTRACT'
  /** The same in a sentence, of a directory that is set. */
  readonly directoryFault?: string
}

export type Origin = FromDirectory | FromContract

type DirectoryError = BuyerError & { readonly code: FromContract['because'] }

/** Whether it is for want of a directory that something failed. */
export const isDirectoryError = (error: unknown): error is DirectoryError =>
  error instanceof BuyerError && error.code.startsWith('ERR_DIRECTORY_')

/** @param chainHead the chain's newest block, if it could be asked */
export const fromDirectory = (meta: DirectoryMeta, nowSeconds: number, chainHead: Block | undefined): FromDirectory => {
  const ageSeconds = Math.max(0, nowSeconds - meta.block.timestampSeconds)
  const behindSeconds = chainHead && Math.max(0, chainHead.timestampSeconds - meta.block.timestampSeconds)
  return {
    source: 'directory',
    directory: { ...meta, ageSeconds, behindSeconds },
    warnings: [...lag(ageSeconds, behindSeconds), ...holes(meta)],
  }
}

const lag = (ageSeconds: number, behindSeconds: number | undefined): Warning[] => {
  if ((behindSeconds ?? ageSeconds) <= DIRECTORY_LAG_SECONDS) return []
  const message =
    behindSeconds === undefined
      ? `the newest block of the directory is ${roughly(ageSeconds)} old`
      : `the directory is ${roughly(behindSeconds)} behind the chain`
  return [{ code: 'WARN_DIRECTORY_BEHIND', message }]
}

const holes = ({ complete, gapCount }: DirectoryMeta): Warning[] => {
  if (complete && gapCount === 0) return []
  const message = `the directory has missed something on chain (${gapCount} gaps), and may not have all or the newest`
  return [{ code: 'WARN_DIRECTORY_INCOMPLETE', message }]
}

/** What the chain says if it can be asked: most that a directory says can be read without. */
export const ifReachable = async <Result>(
  ask: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result | undefined> => {
  try {
    return await ask()
  } catch (error) {
    if (signal?.aborted || !(error as { code?: string }).code) throw error
    return undefined
  }
}

/** What a directory says of a vendor against what the contract says. */
export const holdAgainst = ({ vendor: state, plans }: Listing, vendor: DirectoryVendor): Warning[] => {
  if (vendor.version < state.version) {
    return [{ code: 'WARN_DIRECTORY_BEHIND', message: 'the directory has not seen the last change of this vendor' }]
  }
  // It was asked later than the contract, and may know of a change since.
  if (vendor.version > state.version) return []
  const isSame = ({ planId, ...told }: DirectoryVendor['plans'][number]): boolean => {
    const plan = plans[planId - 1]
    return (
      plan !== undefined &&
      (told.token ?? ZERO_ADDRESS) === plan.token &&
      told.price === plan.price &&
      told.periodSeconds === plan.periodSeconds &&
      told.maxPeriods === plan.maxPeriods &&
      told.settlement === plan.settlement &&
      told.onSale === plan.onSale
    )
  }
  const agrees =
    vendor.active === state.active &&
    vendor.signingKey === state.signingKey &&
    vendor.encryptionKey === state.encryptionKey &&
    vendor.planTotal === plans.length &&
    vendor.plans.every(isSame)
  if (agrees) return []
  const message = 'the directory says otherwise of this vendor than the contract: what it has seen may be made up'
  return [{ code: 'WARN_DIRECTORY_CONTRADICTS', message }]
}

/** `3 hours`: as long as a person would say it is. */
export const roughly = (seconds: number): string => {
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} minutes`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} hours`
  return `${Math.floor(seconds / 86_400)} days`
}
