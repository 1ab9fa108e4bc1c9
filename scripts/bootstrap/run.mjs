/** Runs a program for the set-up, everything it says on standard error, and turns its failures into advice. */
import { spawn } from 'node:child_process'

/** A set-up that cannot go on; its message tells the user what to do. */
export class Failure extends Error {}

const OUTPUT_KEPT_CHARS = 64 * 1024
const PROGRESS_MS = 10_000

export const say = (sentence) => process.stderr.write(`chrove: ${sentence}\n`)

/** By the stable codes in npm's errors; the first that matches is told. */
const adviceFor = [
  [/ENOSPC/, 'The disk is full. Free 2 GB and run the same command again.'],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT/,
    'The npm registry is not reachable. Check the network (and `npm config get registry`, `npm config get proxy`), then \
run the same command again.',
  ],
  [/E401|E403|ENEEDAUTH/, 'The npm registry refuses access. Check `npm config get registry` and your login there.'],
  [
    /EACCES|EPERM|EROFS/,
    'Files may not be written here. Check who owns this folder and npm’s cache (`npm config get cache`).',
  ],
  [
    /EINTEGRITY/,
    'A download differs from package-lock.json. Run `npm cache clean --force` and the same command again.',
  ],
  [/ETARGET|E404/, 'The npm registry lacks a package of package-lock.json. Check `npm config get registry`.'],
]

/** What an npm around us says of itself, and would impose on the npm within. Registry, cache and proxies stay. */
const outerNpm =
  /^npm_(execpath|node_execpath|command|lifecycle_.*|package_.*|config_(loglevel|silent|json|yes|dry_run|call|package|user_agent|npm_version|node_gyp|prefix|local_prefix|global_prefix|global|omit|include|only|production))$/i

const cleanEnvironment = () => Object.fromEntries(Object.entries(process.env).filter(([name]) => !outerNpm.test(name)))

/**
 * Runs to the end.
 * @param options `missing`: advice when there is no such program; `advice`: when it fails, else npm's error code decides;
 * `quiet`: its output is not shown
 * @throws Failure
 */
export const run = async (program, parameters, { cwd, environment, lock, quiet = false, missing, advice }) => {
  const child = spawn(program, parameters, {
    cwd,
    env: { ...cleanEnvironment(), ...environment, HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (child.pid !== undefined) lock.add(child.pid)
  let output = ''
  const onData = (text) => {
    output = (output + text).slice(-OUTPUT_KEPT_CHARS)
    if (!quiet) process.stderr.write(text)
  }
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', onData)
  const startedAtMs = Date.now()
  const progress = setInterval(
    () => say(`still at it (${Math.round((Date.now() - startedAtMs) / 1000)} s)`),
    PROGRESS_MS,
  )
  const stop = passSignals(child, lock)
  try {
    const ended = await new Promise((resolve, reject) =>
      child.once('error', reject).once('close', (...end) => resolve(end)),
    )
    if (ended[0] !== 0) throw new Failure(advice ?? explain(output) ?? `${program} ended with ${ended[0] ?? ended[1]}.`)
  } catch (error) {
    if (error.code === 'ENOENT') throw new Failure(missing ?? `${program} is not there. Run the same command again.`)
    throw error
  } finally {
    clearInterval(progress)
    stop()
  }
}

/** What to do about the first known code in a text; undefined when there is none. */
export const explain = (output) => adviceFor.find(([pattern]) => pattern.test(output))?.[1]

/** Ctrl-C ends the child first, so that nobody writes on after the lock is given up. */
const passSignals = (child, lock) => {
  const pass = (signal) => {
    child.once('close', () => {
      lock.release()
      process.exit(signal === 'SIGINT' ? 130 : 143)
    })
    child.kill(signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, pass)
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, pass)
  }
}
