/** One run of metered access: faults rage while commands are carried out, then all faults stop and all must be well. */
import type { Plan, Scenario } from '../campaign.ts'
import { breachOf, outcomeOf, type Outcome } from '../outcome.ts'
import { checkMeteredAtEnd, checkWishes } from '../properties/metered.ts'
import { checkMoney } from '../properties/money.ts'
import { retell } from '../properties/retell.ts'
import { hireCaretaker } from '../world/caretaker.ts'
import type { Ground } from '../world/deployment.ts'
import type { Breach, Sabotage } from '../world/world.ts'
import { meteredCommands, type MeteredCommand } from './commands.ts'
import { goods } from './goods.ts'
import { createMeteredPerformer } from './perform.ts'
import { METERED_REACHABLE } from './reached.ts'
import { refundRows } from './ledger-rows.ts'
import { openMetered, type Metered } from './world.ts'

/** Virtual time that each step of the second phase may take, milliseconds. */
const RECOVERY_MS = 4 * 3_600_000
const STEP_MS = 20_000
const STEPS_MAX = 200
const NO_BLOCKS_MS = 10 * RECOVERY_MS

const runMetered = async (
  ground: Ground,
  { seed, commands }: Plan<MeteredCommand>,
  sabotage: Sabotage,
): Promise<Outcome> => {
  let metered: Metered | undefined
  let done = 0
  let fault: Breach | undefined
  try {
    metered = await openMetered(ground, seed, sabotage)
    const { world, shop, payers } = metered
    const performer = createMeteredPerformer(metered)
    const caretaker = hireCaretaker(world, [shop, ...payers], ({ name }) => {
      world.tell(`${name} has crashed`)
      world.reach(name === shop.name ? 'gateway crashed' : 'client crashed')
    })
    for (const { pauseSeconds, ...action } of commands) {
      await performer.perform(action)
      await world.loop.run({ timeMs: world.loop.nowMs() + pauseSeconds * 1000 })
      done++
      if (world.breached()) break
    }
    if (!world.breached()) {
      world.tell('all faults stop, and everything is started again')
      performer.steady()
      world.network.heal()
      caretaker.restartAll()
      await recover(metered)
    }
  } catch (error) {
    fault = breachOf(error)
  } finally {
    metered?.close()
  }
  return outcomeOf(metered?.world, fault, done)
}

/** The second phase. */
const recover = async (metered: Metered): Promise<void> => {
  const { world, shop, payers } = metered
  const { loop, chain, knobs } = world
  const step = (ms: number) => loop.run({ timeMs: loop.nowMs() + ms })
  const until = <T>(work: Promise<T>) => loop.runUntil(work, RECOVERY_MS)
  const settleMs = (knobs.confirmations + 2) * knobs.blockMs + 3 * knobs.pollMs
  const isBusy = () => payers.some(({ wishes }) => wishes.some(({ isUnderWay }) => isUnderWay))
  const idle = async (): Promise<void> => {
    for (let steps = 0; isBusy() && !world.breached(); steps++) {
      if (steps === STEPS_MAX) return world.breach('every client is served or told why not', 'one still waits')
      await step(STEP_MS)
    }
  }

  await until(chain.restoreDropped())
  world.pace(knobs.blockMs)
  await step(settleMs)
  for (const payer of payers) payer.insist()
  await idle()
  for (const payer of payers) for (const good of goods) payer.want(good)
  await idle()
  if (world.breached()) return
  checkWishes(metered)
  const isRefunding = () => refundRows(shop.host).some(({ state }) => state === 'pending')
  for (let steps = 0; isRefunding() && !world.breached(); steps++) {
    if (steps === STEPS_MAX) return world.breach('refunds are exact and single', 'one is still under way')
    await step(STEP_MS)
  }
  await step(settleMs)
  await until(shop.claimAll())
  await step(settleMs)
  world.pace(NO_BLOCKS_MS)
  // A block that was being made when blocks stopped is made.
  await step(1)
  if (world.breached()) return
  const retold = await until(retell(world))
  checkMeteredAtEnd(metered, retold)
  await until(checkMoney(world, retold, [shop.account]))
}

export const meteredScenario: Scenario<MeteredCommand> = {
  name: 'gateway',
  commandList: meteredCommands,
  run: runMetered,
  reachable: METERED_REACHABLE,
}
