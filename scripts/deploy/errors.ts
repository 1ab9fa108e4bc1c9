/** What can keep contracts from being deployed, told so that a person can put it right. */
import { CommandError } from '../../effects/command-error.ts'

export type DeployErrorCode =
  | 'ERR_DEPLOY_NODE'
  | 'ERR_DEPLOY_WRONG_CHAIN'
  | 'ERR_DEPLOY_WRONG_CODE'
  | 'ERR_DEPLOY_NO_ACCOUNT'
  | 'ERR_DEPLOY_UNFUNDED'
  | 'ERR_DEPLOY_WAITING'
  | 'ERR_DEPLOY_FEES_ROSE'
  | 'ERR_DEPLOY_FACTORY'
  | 'ERR_DEPLOY_FAILED'

/** Messages name no URL and no key: both may be secret. */
export class DeployError extends Error {
  readonly code: DeployErrorCode
  /** The same command may succeed later, with nothing changed. */
  readonly retryable: boolean
  constructor(code: DeployErrorCode, message: string, { retryable = false, cause }: ErrorOptions & Retryable = {}) {
    super(message, { cause })
    this.name = 'DeployError'
    this.code = code
    this.retryable = retryable
  }
}

interface Retryable {
  readonly retryable?: boolean
}

/** Numbers of Hardhat's errors: stable, and listed at hardhat.org. */
const HARDHAT = {
  variableMissing: 7,
  refused: 703,
  timeout: 704,
  wrongChain: 708,
  unconfirmed: 10_402,
  unconfirmedNonce: 10_403,
  aboveFeeLimit: 10_406,
  transactionLost: 10_410,
}

interface HardhatError {
  readonly number: number
  readonly formattedMessage: string
  readonly messageArguments: Readonly<Record<string, string | number>>
}

const isHardhatError = (error: unknown): error is HardhatError & Error =>
  error instanceof Error && 'formattedMessage' in error && 'messageArguments' in error

/** What a node answered, or what came instead of an answer: Hardhat gives both a number of JSON-RPC. */
export const isNodeError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && typeof error.code === 'number'

/** Name of the setting that is not there; undefined when something else is wrong. */
export const missingSettingOf = (error: unknown): string | undefined =>
  isHardhatError(error) && error.number === HARDHAT.variableMissing ? String(error.messageArguments.name) : undefined

/** Ignition was cut off while it sent a transaction, and does not know whether there is one. */
export const isTransactionLost = (error: unknown): boolean =>
  isHardhatError(error) && error.number === HARDHAT.transactionLost

/** How to give a setting that is kept in Hardhat's keystore. */
export const howToSet = (name: string): string => `npx hardhat keystore set ${name}`

/** Until then nobody can tell whether they are the ones that are to be sent. */
export const waiting = (account: string, cause?: unknown): DeployError => {
  const message = `${account} has transactions that wait to be confirmed: run the same command once they are`
  return new DeployError('ERR_DEPLOY_WAITING', message, { retryable: true, cause })
}

/**
 * Turns what Hardhat throws into what a person can do about it.
 * @returns errors of ours as they are
 */
export const explain = (error: unknown, network: string): unknown => {
  if (isNodeError(error)) {
    const message = `the node of ${network} does not do it: ${error.message}`
    return new DeployError('ERR_DEPLOY_NODE', message, { retryable: true, cause: error })
  }
  if (!isHardhatError(error)) return error
  const missing = missingSettingOf(error)
  if (missing !== undefined) {
    return new CommandError('ERR_SETTING_MISSING', `${missing} is not set. To set it: ${howToSet(missing)}`)
  }
  if (error.number === HARDHAT.refused || error.number === HARDHAT.timeout) {
    const message = `no node of ${network} answers: is it running, and is its URL right?`
    return new DeployError('ERR_DEPLOY_NODE', message, { retryable: true, cause: error })
  }
  if (error.number === HARDHAT.wrongChain) {
    const { configChainId, connectionChainId } = error.messageArguments
    const message = `${network} is chain ${configChainId}, and the node is of chain ${connectionChainId}: is its URL right?`
    return new DeployError('ERR_DEPLOY_WRONG_CHAIN', message, { cause: error })
  }
  if (error.number === HARDHAT.unconfirmed || error.number === HARDHAT.unconfirmedNonce) {
    return waiting(String(error.messageArguments.sender), error)
  }
  if (error.number === HARDHAT.aboveFeeLimit) {
    const message = 'fees have risen above what was agreed to: run the same command again'
    return new DeployError('ERR_DEPLOY_FEES_ROSE', message, { retryable: true, cause: error })
  }
  return new DeployError('ERR_DEPLOY_FAILED', error.formattedMessage, { cause: error })
}
